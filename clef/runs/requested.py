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
from clef.manifest.folds import Fold, FoldName, make_folds
from clef.model.texts import activity_texts, label_templates, label_texts
from clef.params.schema import Params, ParamsError
from clef.runs.load import REQUESTED, run_names, run_over
from clef.runs.related_runs import load_run, require_same_data, stage1_source
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
    """Runs by name, each loaded on first use together with the runs that it refers to.

    Args:
        folder: Of the params files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Run] = {}
        self.names = run_names(folder)
        self.params: dict[str, Params] = {}

    def __getitem__(self, name: str) -> Run:
        """A run of the folder.

        Raises:
            ParamsError: A params file is not as expected, or requested runs disagree on their data set.
        """
        if name not in self._loaded:
            for related, params in load_run(name, self._folder).items():
                if related not in self._loaded:
                    self.params[related] = params
                    require_same_data(related, self.params, self._folder)
                    self._loaded[related] = _open(related, params, self._folder / f"{related}.yaml")
            os.environ[REQUESTED] = " ".join(self._loaded)
        return self._loaded[name]

    def over(self, dataset: str, crop: str | None = None) -> Run:
        """A requested run over a data set, or else any; requested runs agree on how the data is made.

        Args:
            dataset: Name of the data set.
            crop: Digest of the crop settings; any if None.

        Raises:
            ParamsError: There is none, or as `[]`.
        """
        for run in self._loaded.values():
            if run.dataset.name == dataset and crop in (None, run.params.crop_digest):
                return run
        return self[run_over(self._folder, dataset, crop)]

    def stage1(self, run: str, fold: FoldName) -> tuple[str, FoldName] | None:
        """Run and fold whose stage 1 a fold of a run starts from; None without a stage 1."""
        return stage1_source(self.params, run, fold)


def _open(name: str, params: Params, path: Path) -> Run:
    try:
        dataset = open_dataset(params)
        return Run(
            name,
            params,
            dataset,
            make_folds(dataset),
            [[text.name, text.description] for text in label_texts(params.texts, params.labels)],
            asdict(label_templates(params.texts)),
            activity_texts(params.texts, dataset.activities),
        )
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
