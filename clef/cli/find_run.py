"""Find params, data sets and inputs by the names on the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.datasets.base import Dataset
    from clef.manifest.folds import Fold
    from clef.params.schema import Params
    from clef.training.inputs import EvaluationData, Inputs
    from clef.training.stage1_datasets import Source


@dataclass
class Settings:
    """The options before the subcommand."""

    params_folder: Path = Path("params")
    debug: bool = False


settings = Settings()


def run_params(run: str) -> "Params":
    """Params of a run. Only its own file and those that it extends are read."""
    from clef.runs.load import load_params, params_file

    return load_params(params_file(run, settings.params_folder))


def require_known(run: str) -> None:
    """Refuse a run without a params file and suggest the nearest name, if there is a params folder."""
    if settings.params_folder.is_dir():
        run_params(run)


def find_dataset(name: str, crop: str | None = None) -> "Dataset":
    """Open a data set, by its name or that of a run over it, with the params of a run that has these crop settings."""
    from clef.datasets import open_dataset
    from clef.runs.load import load_params, run_over

    folder = settings.params_folder
    return open_dataset(load_params(folder / f"{run_over(folder, name, crop)}.yaml"))


def training(run: str, fold: str, manifest: Path, crops: Path | None = None) -> "tuple[Params, Fold, Inputs]":
    """Params, fold and inputs of a training, or of an evaluation, which reads no crops."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import named_fold

    params = run_params(run)
    dataset = open_dataset(params)
    return params, named_fold(dataset, fold, run), _inputs(dataset, manifest, crops)


def also_sources(params: "Params", manifests: list[Path] | None, crops: list[Path] | None) -> "list[Source]":
    """Other data sets that take part in stage 1, each with all of its subjects."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import fold_training_all
    from clef.training.stage1_datasets import Source

    names = params.pretrain.also if params.pretrain is not None else []
    manifests, crops = manifests or [], crops or []
    if not len(names) == len(manifests) == len(crops):
        expected = f"one of each for {', '.join(names)}" if names else "none: the run's `pretrain.also` is empty"
        raise ClefError(f"--also-manifest, --also-crops: expected {expected}")
    datasets = [open_dataset(run_params(name)) for name in names]
    return [
        Source(dataset.name, _inputs(dataset, *paths), fold_training_all(dataset), dataset.activities)
        for dataset, *paths in zip(datasets, manifests, crops, strict=True)
    ]


def other_test_data(params: "Params", manifest: Path | None, *crops: Path | None) -> "EvaluationData | None":
    """The other data set that a run is tested on; None if it is tested on its own. An evaluation reads no `crops`."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import fold_testing_all
    from clef.training.inputs import EvaluationData

    options = ", ".join(["--test-manifest", "--test-crops"][: 1 + len(crops)])
    if params.test is None:
        if any(path is not None for path in (manifest, *crops)):
            raise ClefError(f"{options}: the run has no `test` section; leave {'it' if not crops else 'both'} out")
        return None
    if manifest is None or None in crops:
        raise ClefError(f"{options}: expected those of {params.test.run}, which the run tests")
    dataset = open_dataset(run_params(params.test.run))
    labels = dataset.params.labels
    labels = params.labels.tested.model_copy(update={"threshold": labels.threshold, "votes": labels.votes})
    return EvaluationData(dataset.name, _inputs(dataset, manifest, *crops), fold_testing_all(dataset), labels)


def shards(dataset: "Dataset", crops: Path) -> dict[str, Path]:
    """Paths of the crop shards of a data set by name."""
    return {name: crops / f"{name}.arrow" for name in dataset.shards()}


def _inputs(dataset: "Dataset", manifest: Path, crops: Path | None = None) -> "Inputs":
    from clef.training.inputs import Inputs

    return Inputs(manifest, {} if crops is None else shards(dataset, crops))
