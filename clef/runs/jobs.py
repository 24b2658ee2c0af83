"""The jobs of a run and their files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clef.datasets import open_dataset
from clef.ingest.versions.pointers import existing_pointers
from clef.manifest.folds import FoldName, make_folds
from clef.params.schema import Params
from clef.runs.messages import job_name
from clef.runs.related_runs import also_in_stage1, stage1_source
from clef.runtime import paths

TRAININGS = ("pretrain", "finetune", "inner")


@dataclass(frozen=True)
class Job:
    """A job. Paths are relative to the checkout."""

    step: str
    """`render-demo`, `ingest`, `crop`, `manifest`; `pretrain`, `finetune`, `inner`, `evaluate`; `summarize`"""
    owner: str
    """The run; before training, the data set."""
    outputs: tuple[Path, ...]
    log: Path
    seed: int | None = None
    fold: FoldName | None = None
    shard: str | None = None

    @property
    def target(self) -> Path:
        """The output whose lease the job holds."""
        return self.outputs[0]

    @property
    def name(self) -> str:
        """Name of the job, as it appears in its log."""
        rule = "finetune_inner" if self.step == "inner" else self.step
        return job_name(rule, {"run": self.owner, "shard": self.shard, "seed": self.seed, "fold": self.fold})


def jobs_of(run: str, runs: Mapping[str, Params]) -> list[Job]:
    """Every job of a run in the order of the chain. `runs` must hold the runs that it refers to."""
    params = runs[run]
    folds = [fold.number for fold in make_folds(open_dataset(params))]
    source = stage1_source(runs, run, folds[0])
    names = [run, *([source[0]] if source is not None else []), *also_in_stage1(runs, run)]
    names += [params.test.run] if params.test is not None else []
    datasets = {(runs[name].dataset.name, runs[name].crop_digest): runs[name] for name in names}
    jobs = [job for data in datasets.values() for job in _data_jobs(data)]
    jobs += [job for seed in params.seeds for fold in folds for job in _fold_jobs(run, runs, seed, fold)]
    folder = paths.results_folder(run)
    summary = Job("summarize", run, (paths.summary_file(run), folder / "summary.json"), folder / "summarize.log")
    return list(dict.fromkeys([*jobs, summary]))  # folds may share a stage 1


def _data_jobs(params: Params) -> Iterator[Job]:
    dataset = open_dataset(params)
    name, crop = dataset.name, params.crop_digest
    raw, interim = paths.raw_folder(name), paths.interim_folder(name)
    if (marker := dataset.completion_marker()) is not None and not existing_pointers(dataset, raw):
        yield Job("render-demo", name, (raw / marker,), interim / "render.log")
    outputs = (paths.sequences_file(name), paths.labels_file(name), paths.check_file(name))
    yield Job("ingest", name, outputs, interim / "ingest.log")
    for shard in dataset.shards():
        target = paths.crops_folder(name, crop) / f"{shard}.arrow"
        yield Job("crop", name, (target,), target.with_suffix(".log"), shard=shard)
    target = paths.manifest_file(name, crop)
    yield Job("manifest", name, (target,), target.with_suffix(".log"))


def _fold_jobs(run: str, runs: Mapping[str, Params], seed: int, fold: FoldName) -> Iterator[Job]:
    trainings = [("finetune", run, fold), *([("inner", run, fold)] if runs[run].tune is not None else [])]
    if (source := stage1_source(runs, run, fold)) is not None:
        trainings.insert(0, ("pretrain", *source))
    for step, trained, own_fold in trainings:
        path = paths.fold_folder(trained, seed, own_fold) / step
        outputs = (path.with_suffix(".safetensors"), path.with_suffix(".json"))
        yield Job(step, trained, outputs, path.with_suffix(".log"), seed, own_fold)
    folder = paths.fold_folder(run, seed, fold)
    outputs = (folder / "metrics.json", folder / "predictions.parquet")
    yield Job("evaluate", run, outputs, folder / "evaluate.log", seed, fold)
