"""From the names on the command line to params, folds and shards."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError
from clef.params.suggestion import suggestion

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
    """Params of a run, read from its own file and its parents: no other file can stop it."""
    from clef.params.schema import NAME
    from clef.runs.load import load_params

    path = settings.params_folder / f"{run}.yaml"
    # A name that leads out of the folder is none, whatever lies there: results would be looked for elsewhere too.
    if not NAME.fullmatch(run) or run.endswith(".yaml") or not path.exists():
        if not settings.params_folder.is_dir():
            raise ClefError(f"no folder {settings.params_folder} here; go to the checkout's folder, or give --params")
        known = sorted(other.stem for other in settings.params_folder.glob("*.yaml"))
        raise ClefError(f"{settings.params_folder}: no run {run}; {suggestion(run, known, 'a params file')}")
    return load_params(path)


def require_known(run: str) -> None:
    """Refuse the name of no run, where there are params files that tell.

    Raises:
        ClefError: With the name that may have been meant.
    """
    if settings.params_folder.is_dir():
        run_params(run)


def dataset_params(dataset: str, crop: str | None = None) -> "Params":
    """Params of any run over a data set with these crops: they agree on all that its rules need."""
    from clef.params.schema import ParamsError
    from clef.runs.load import load_params

    of_dataset, names, broken = [], set(), None
    for path in sorted(settings.params_folder.glob("*.yaml")):
        try:
            params = load_params(path)
        except ParamsError as error:
            broken = error
            continue
        names.add(params.dataset.name)
        if params.dataset.name == dataset:
            of_dataset.append(params)
    if not of_dataset:
        hint = suggestion(dataset, sorted(names), "a params file")
        raise broken or ClefError(f"{settings.params_folder}: no run over a data set {dataset}; {hint}")
    for params in of_dataset:
        if crop in (None, params.crop_digest):
            return params
    known = ", ".join(sorted({params.crop_digest for params in of_dataset}))
    raise ClefError(f"--crop: no run over {dataset} has crops {crop}; expected one of {known}")


def training(run: str, fold: str, crops: Path) -> "tuple[Params, Fold, dict[str, Path]]":
    """Params, fold and shards of one training or its evaluation."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import named_fold

    params = run_params(run)
    adapter = open_dataset(params)
    return params, named_fold(adapter, fold, run), shards(adapter.shards(), crops)


def joining(params: "Params", manifests: list[Path], crops: list[Path]) -> "list[Source]":
    """The other data sets that take part in a run's stage 1, each with all of its subjects."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import whole
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
        found.append(Source(adapter.name, inputs, whole(adapter), adapter.activities))
    return found


def tested(params: "Params", manifest: Path | None, crops: Path | None) -> "EvaluationData | None":
    """Whom a run tests on another data set; None where it tests its own."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import everybody_tested
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
    return EvaluationData(adapter.name, inputs, everybody_tested(adapter), labels)


def shards(names: list[str], crops: Path) -> dict[str, Path]:
    """Paths of shards by name."""
    return {name: crops / f"{name}.arrow" for name in names}
