"""The jobs that a run is made of, and where their files lie: as the rules of the workflow have them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clef.datasets import open_dataset
from clef.ingest.versions.pointers import existing_pointers
from clef.manifest.folds import FoldName, make_folds
from clef.params.schema import Params
from clef.runs.load import joining_runs, stage1_source
from clef.runs.messages import job_name
from clef.runtime.paths import (
    crops_folder,
    fold_folder,
    interim_folder,
    manifest_file,
    raw_folder,
    results_folder,
    sequences_file,
    summary_file,
)

TRAININGS = ("pretrain", "finetune", "inner")


@dataclass(frozen=True)
class Job:
    """One job. Paths are relative to the checkout."""

    step: str
    """`render-demo`, `check`, `ingest`, `crop`, `manifest`; `pretrain`, `finetune`, `inner`, `evaluate`; `summarize`"""
    of: str
    """The run; the data set, before training."""
    target: Path
    """The file whose lease it holds: the first of its outputs."""
    outputs: tuple[Path, ...]
    """All that are there once it is done."""
    log: Path
    seed: int | None = None
    fold: FoldName | None = None
    shard: str | None = None

    @property
    def name(self) -> str:
        """Such as `pretrain demo seed 0 fold 1`, as the job calls itself."""
        rule = "finetune_inner" if self.step == "inner" else self.step
        return job_name(rule, {"run": self.of, "shard": self.shard, "seed": self.seed, "fold": self.fold})


def jobs_of(run: str, runs: Mapping[str, Params]) -> list[Job]:
    """Every job of a run in the order of the chain.

    Args:
        run: Its name.
        runs: Its params, and those of the runs that it names, and so on.
    """
    params = runs[run]
    source = stage1_source(runs, run, make_folds(open_dataset(params))[0].number)
    names = [run, *([source[0]] if source is not None else []), *joining_runs(runs, run)]
    names += [params.test.run] if params.test is not None else []
    crops = {(runs[name].dataset.name, runs[name].crop_digest): runs[name] for name in names}
    jobs: list[Job] = []
    for each in crops.values():
        jobs += _before_training(each)
    jobs += _trainings(run, runs)
    folder, summary = results_folder(run), summary_file(run)
    outputs = (summary, folder / "summary.json")
    return [*jobs, Job("summarize", run, summary, outputs, folder / "summarize.log")]


def _before_training(params: Params) -> Iterator[Job]:
    dataset = open_dataset(params)
    raw, interim = raw_folder(dataset.name), interim_folder(dataset.name)
    if (made := dataset.completion_marker()) is not None and not existing_pointers(dataset, raw):
        yield Job("render-demo", dataset.name, raw / made, (raw / made,), interim / "render.log")
    for step, target in (("check", interim / "check.txt"), ("ingest", sequences_file(dataset.name))):
        yield Job(step, dataset.name, target, (target,), interim / f"{step}.log")
    for shard in dataset.shards():
        target = crops_folder(dataset.name, params.crop_digest) / f"{shard}.arrow"
        yield Job("crop", dataset.name, target, (target,), target.with_suffix(".log"), shard=shard)
    target = manifest_file(dataset.name, params.crop_digest)
    yield Job("manifest", dataset.name, target, (target,), target.with_suffix(".log"))


def _trainings(run: str, runs: Mapping[str, Params]) -> Iterator[Job]:
    params = runs[run]
    seen = set()
    for seed in params.seeds:
        for fold in make_folds(open_dataset(params)):
            source = stage1_source(runs, run, fold.number)
            if source is not None and (seed, *source) not in seen:
                seen.add((seed, *source))
                yield _training("pretrain", source[0], seed, source[1])
            yield _training("finetune", run, seed, fold.number)
            if params.tune is not None:
                yield _training("inner", run, seed, fold.number)
            folder = fold_folder(run, seed, fold.number)
            outputs = (folder / "metrics.json", folder / "predictions.parquet")
            yield Job("evaluate", run, outputs[0], outputs, folder / "evaluate.log", seed, fold.number)


def _training(step: str, run: str, seed: int, fold: FoldName) -> Job:
    target = fold_folder(run, seed, fold) / f"{step}.safetensors"
    outputs = (target, target.with_suffix(".json"))
    return Job(step, run, target, outputs, target.with_suffix(".log"), seed, fold)
