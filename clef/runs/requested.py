"""The runs that the workflow is asked for, read when a rule first needs them.

Other params files are not read, so a mistake in them cannot stop a run that has nothing to do with them.
"""

import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clef.datasets import open_dataset
from clef.datasets.base import Dataset
from clef.errors import abbreviate
from clef.manifest.folds import Fold, FoldName, make_folds
from clef.model.texts import activity_texts, label_templates, label_texts
from clef.params.schema import Params, ParamsError
from clef.runs.load import REQUESTED, load_all, run_names, run_over
from clef.runs.related_runs import load_run, stage1_source
from clef.runtime.paths import crops_folder, manifest_file


@dataclass(frozen=True)
class Run:
    """A run with its data set, its folds and its texts."""

    name: str
    params: Params
    dataset: Dataset
    folds: list[Fold]
    label_texts: list[list[str]]
    templates: dict[str, Any]
    activity_texts: dict[str, str]

    @cached_property
    def crops(self) -> Path:
        """Folder of its crops."""
        return crops_folder(self.dataset.name, self.params.crop_digest)

    @cached_property
    def shards(self) -> list[Path]:
        """Its crops, shard by shard."""
        return [self.crops / f"{shard}.arrow" for shard in self.dataset.shards()]

    @cached_property
    def manifest(self) -> Path:
        """Its manifest."""
        return manifest_file(self.dataset.name, self.params.crop_digest)

    @property
    def training_gpus(self) -> int:
        """GPUs of one training."""
        return self.params.gpus if self.params.device == "cuda" else 0

    @property
    def training_threads(self) -> int:
        """Threads of all processes of one training."""
        return self.params.gpus * self.params.threads


class RequestedRuns:
    """Runs of a params folder by name, each loaded on first use together with the runs that it refers to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Run] = {}
        self.names = run_names(folder)

    def __getitem__(self, name: str) -> Run:
        """A run of the folder, or a ParamsError if a file is not as expected or runs disagree on their data set."""
        if name not in self._loaded:
            related = load_run(name, self._folder)
            for new in [run for run in related if run not in self._loaded]:
                try:
                    run = _open(new, related[new])
                    for other in self._loaded.values():
                        _require_same_data(run, other)
                except ParamsError as error:
                    raise ParamsError(f"{self._folder / new}.yaml: {error}") from None
                self._loaded[new] = run
            os.environ[REQUESTED] = " ".join(self._loaded)
        return self._loaded[name]

    def over(self, dataset: str, crop: str | None = None) -> Run:
        """A requested run over a data set, or else any, with these crop settings if given.

        Requested runs agree on how the data is made, so it does not matter which is chosen.
        """
        for run in self._loaded.values():
            if run.dataset.name == dataset and crop in (None, run.params.crop_digest):
                return run
        return self[run_over(self._folder, dataset, crop)]

    def warnings(self) -> list[str]:
        """One line for each file of the folder that is not as expected and that no requested run needs."""
        errors = load_all(self._folder)[1]
        return [f"{error}; no requested run needs it" for name, error in errors.items() if name not in self._loaded]

    def stage1(self, run: str, fold: FoldName) -> tuple[str, FoldName] | None:
        """Run and fold whose stage 1 a fold of a run starts from; None without a stage 1."""
        return stage1_source({name: loaded.params for name, loaded in self._loaded.items()}, run, fold)


def _open(name: str, params: Params) -> Run:
    dataset = open_dataset(params)
    sections = [params.labels, *([params.labels.tested] if params.labels.zero_shot else [])]
    texts = [[text.name, text.description] for labels in sections for text in label_texts(params.texts, labels)]
    templates, activities = asdict(label_templates(params.texts)), activity_texts(params.texts, dataset.activities)
    return Run(name, params, dataset, make_folds(dataset), texts, templates, activities)


def _require_same_data(run: Run, other: Run) -> None:
    """Require that two runs over one data set agree on how it is made, and on its subjects."""
    name = run.dataset.name
    if other.dataset.name != name:
        return
    for section in ("dataset", "render", "ingest"):
        if other.params.tracked(section) != run.params.tracked(section):
            raise ParamsError(
                f"{section} differs from {other.name}.yaml, which uses the same data set {name}; "
                "give one of them another dataset.name, or run them one at a time"
            )
    here, there = run.dataset.subjects(), other.dataset.subjects()  # shards follow from these and the options
    if here != there:
        raise ParamsError(
            f"folds: subjects of {name} are {abbreviate(here, 4) or 'unknown'} here but "
            f"{abbreviate(there, 4) or 'unknown'} in {other.name}.yaml, which uses the same data set; list all "
            "subjects in dataset.options, or give one of them another dataset.name "
            f"(data/raw/NAME may be a link to data/raw/{name})"
        )
