"""From the names on the command line to params, folds and shards."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.folds import Fold
    from clef.params import Params


@dataclass
class Settings:
    """The options before the subcommand."""

    params_folder: Path = Path("params")
    debug: bool = False


settings = Settings()


def run_params(run: str) -> "Params":
    """Params of a run, read from its own file and its parents: no other file can stop it."""
    from clef.runs import load_params

    path = settings.params_folder / f"{run}.yaml"
    if run.endswith(".yaml") or not path.exists():
        known = ", ".join(sorted(other.stem for other in settings.params_folder.glob("*.yaml")))
        raise ClefError(f"{settings.params_folder}: no run {run}; expected one of {known or 'the files there'}")
    return load_params(path)


def dataset_params(dataset: str, crop: str | None = None) -> "Params":
    """Params of any run over a data set with these crops: they agree on all that its rules need."""
    from clef.params import ParamsError
    from clef.runs import load_params

    of_dataset, broken = [], None
    for path in sorted(settings.params_folder.glob("*.yaml")):
        try:
            params = load_params(path)
        except ParamsError as error:
            broken = error
            continue
        if params.dataset.name == dataset:
            of_dataset.append(params)
    if not of_dataset:
        raise broken or ClefError(f"{settings.params_folder}: no run over a data set {dataset}")
    for params in of_dataset:
        if crop in (None, params.crop_digest):
            return params
    known = ", ".join(sorted({params.crop_digest for params in of_dataset}))
    raise ClefError(f"--crop: no run over {dataset} has crops {crop}; expected one of {known}")


def training(run: str, fold: int, crops: Path) -> "tuple[Params, Fold, dict[str, Path]]":
    """Params, fold and shards of one training or its evaluation."""
    from clef.datasets import open_dataset
    from clef.folds import make_folds

    params = run_params(run)
    adapter = open_dataset(params)
    folds = make_folds(adapter)
    if not 0 <= fold < len(folds):
        raise ClefError(f"--fold: {run} has no fold {fold}; expected 0 to {len(folds) - 1}")
    return params, folds[fold], shards(adapter.shards(), crops)


def shards(names: list[str], crops: Path) -> dict[str, Path]:
    """Paths of shards by name."""
    return {name: crops / f"{name}.arrow" for name in names}
