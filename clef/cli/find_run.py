"""Find params, folds and shards by the names on the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.manifest.folds import Fold
    from clef.params.schema import Params
    from clef.training.inputs import EvaluationData
    from clef.training.sources import Source


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
    """Refuse a run without a params file, if there is a params folder.

    Raises:
        ClefError: Suggests the nearest name.
    """
    if settings.params_folder.is_dir():
        run_params(run)


def dataset_params(name: str, crop: str | None = None) -> "Params":
    """Params of a run over a data set.

    Args:
        name: Of the data set, or of a run over it.
        crop: Digest of the crop settings that the run must have; any if None.
    """
    from clef.runs.load import load_params, run_over

    folder = settings.params_folder
    return load_params(folder / f"{run_over(folder, name, crop)}.yaml")


def training(run: str, fold: str, crops: Path) -> "tuple[Params, Fold, dict[str, Path]]":
    """Params, fold and shards of a training or an evaluation."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import named_fold

    params = run_params(run)
    adapter = open_dataset(params)
    return params, named_fold(adapter, fold, run), shards(adapter.shards(), crops)


def also_sources(params: "Params", manifests: list[Path], crops: list[Path]) -> "list[Source]":
    """Other data sets that take part in stage 1, each with all of its subjects."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import fold_training_all
    from clef.training.inputs import Inputs
    from clef.training.sources import Source

    names = params.pretrain.also if params.pretrain is not None else []
    if not len(names) == len(manifests) == len(crops):
        expected = f"one of each for {', '.join(names)}" if names else "none: the run's `pretrain.also` is empty"
        raise ClefError(f"--also-manifest, --also-crops: expected {expected}")
    found = []
    for name, manifest, folder in zip(names, manifests, crops, strict=True):
        adapter = open_dataset(run_params(name))
        inputs = Inputs(manifest, shards(adapter.shards(), folder))
        found.append(Source(adapter.name, inputs, fold_training_all(adapter), adapter.activities))
    return found


def other_test_data(params: "Params", manifest: Path | None, crops: Path | None) -> "EvaluationData | None":
    """The other data set that a run is tested on; None if it is tested on its own."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import fold_testing_all
    from clef.training.inputs import EvaluationData, Inputs

    if params.test is None:
        if manifest is not None or crops is not None:
            raise ClefError("--test-manifest, --test-crops: the run has no `test` section; leave both out")
        return None
    if manifest is None or crops is None:
        raise ClefError(f"--test-manifest, --test-crops: expected those of {params.test.run}, which the run tests")
    other = run_params(params.test.run)
    adapter = open_dataset(other)
    labels = params.labels.model_copy(update={"threshold": other.labels.threshold, "votes": other.labels.votes})
    inputs = Inputs(manifest, shards(adapter.shards(), crops))
    return EvaluationData(adapter.name, inputs, fold_testing_all(adapter), labels)


def shards(names: list[str], crops: Path) -> dict[str, Path]:
    """Paths of shards by name."""
    return {name: crops / f"{name}.arrow" for name in names}
