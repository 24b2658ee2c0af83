"""The command `clef`: one subcommand a step of the chain.

Each subcommand imports what it computes with when it runs, so that `--help` and the many short starts of a workflow
cost nothing.
"""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clef import __version__
from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.folds import Fold
    from clef.params import Params

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Facial behaviour learnt from activities and text, in two stages.

    The steps below are what the workflow runs, in this order: render-demo (demo sets only), ingest, crop, manifest,
    pretrain, finetune, evaluate, summarize. Usually one types `snakemake --cores 2 results/demo/summary.csv` instead.
    """,
)

Run = Annotated[str, typer.Argument(help="Name of a run: a file in the params folder, without suffix.")]
DatasetName = Annotated[str, typer.Argument(help="Name of a data set: `dataset.name` of some run.")]
Raw = Annotated[Path, typer.Option(help="Folder of the raw data.")]
Sequences = Annotated[Path, typer.Option(help="Table of recordings, from `clef ingest`.")]
Crop = Annotated[str, typer.Option(help="Digest of the crop settings, as `clef params` prints it.")]
Crops = Annotated[Path, typer.Option(help="Folder of the shards.")]
Manifest = Annotated[Path, typer.Option(help="The manifest.")]
Seed = Annotated[int, typer.Option(help="Seed of weights, sampling and augmentation.")]
FoldNumber = Annotated[int, typer.Option("--fold", help="Fold, counted from 0.")]
Out = Annotated[Path, typer.Option(help="File to write.")]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]

log = logging.getLogger("clef")

_settings: dict[str, Any] = {"params": Path("params"), "debug": False}


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    params: Annotated[Path, typer.Option(help="Folder of the params files.")] = Path("params"),
    debug: Annotated[bool, typer.Option(help="Show the whole traceback of an error.")] = False,
) -> None:
    if version:
        print(f"clef {__version__}")
        raise typer.Exit
    _settings.update(params=params, debug=debug)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("clef").setLevel(logging.INFO)


@app.command("render-demo")
def render_demo(
    dataset: DatasetName, out: Annotated[Path, typer.Option(help="Folder to fill.")], workers: Workers = 1
) -> None:
    """Draw the demo: people, activities and action units (or still expressions), with labels."""
    from clef.demo.render import render_demo as render
    from clef.progress import progress

    settings = _dataset_params(dataset).render
    if settings is None:
        raise ClefError(f"{dataset}: not a demo set; only runs with a `render:` section are drawn")
    with progress("rendering") as step:
        render(settings, out, workers, step)


@app.command()
def ingest(dataset: DatasetName, raw: Raw, out: Out) -> None:
    """List the raw recordings and check them against what is expected."""
    from clef.datasets import open_dataset
    from clef.ingest import ingest as run_ingest
    from clef.progress import progress

    with progress("ingesting") as step:
        run_ingest(open_dataset(_dataset_params(dataset)), raw, out, step)


@app.command()
def crop(
    dataset: DatasetName,
    crop: Crop,
    raw: Raw,
    sequences: Sequences,
    shard: Annotated[str, typer.Option(help="Name of the shard.")],
    out: Out,
) -> None:
    """Find and cut out the faces of one shard: one row for every frame."""
    from clef.faces.crop import crop_shard
    from clef.ingest import read_sequences
    from clef.lease import leased
    from clef.progress import progress

    settings = _dataset_params(dataset, crop).crop
    listed = read_sequences(sequences, shard)
    expected = sum(sequence.frames or 1 for sequence in listed)
    done = 0

    with leased(out), progress("cropping") as step:

        def add(sequence: str, frames: int) -> None:
            nonlocal done
            done += frames
            step(done, max(done, expected))

        report = crop_shard(raw, listed, settings, out, out.with_suffix(".work"), add)
    for name, problem in report.problems:
        log.warning("%s: %s", name, problem)
    counts = ", ".join(f"{count} {status}" for status, count in report.statuses.items() if count)
    log.info("%d frames: %s", report.frames, counts)


@app.command()
def manifest(dataset: DatasetName, crop: Crop, raw: Raw, sequences: Sequences, crops: Crops, out: Out) -> None:
    """Join crops and labels into one table with a row for every frame."""
    from clef.datasets import open_dataset
    from clef.ingest import read_sequences
    from clef.manifest import build_manifest

    adapter = open_dataset(_dataset_params(dataset, crop))
    table = build_manifest(adapter, raw, read_sequences(sequences), _shards(adapter.shards(), crops), out)
    log.info("%d frames, %d labelled", len(table), table["labelled"].sum())


@app.command()
def pretrain(run: Run, seed: Seed, fold: FoldNumber, manifest: Manifest, crops: Crops, out: Out) -> None:
    """Stage 1: contrast with the activity as the weak label."""
    from clef.training.inputs import Inputs
    from clef.training.pretrain import pretrain as train

    params, split, shards = _training(run, fold, crops)
    train(params, seed, split, Inputs(manifest, shards), out)


@app.command()
def finetune(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    crops: Crops,
    out: Out,
    epochs: Annotated[Path, typer.Option(help="Test predictions after each epoch, to write.")],
    stage1: Annotated[Path | None, typer.Option(help="Encoders to start from.")] = None,
) -> None:
    """Stage 2: match images with the texts of the labels."""
    from clef.training.finetune import finetune as train
    from clef.training.inputs import Inputs

    params, split, shards = _training(run, fold, crops)
    train(params, seed, split, Inputs(manifest, shards), stage1, out, epochs)


@app.command()
def evaluate(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    crops: Crops,
    weights: Annotated[Path, typer.Option(help="Stage 2, from `clef finetune`.")],
    epochs: Annotated[Path, typer.Option(help="Its test predictions after each epoch.")],
    predictions: Annotated[Path, typer.Option(help="Table of predictions to write.")],
    out: Out,
) -> None:
    """Predict the test frames of a fold and score them."""
    from clef.evaluation.evaluate import evaluate as run_evaluate
    from clef.training.inputs import Inputs

    params, split, shards = _training(run, fold, crops)
    run_evaluate(params, seed, split, Inputs(manifest, shards), weights, epochs, predictions, out)


@app.command()
def summarize(
    run: Run, metrics: Annotated[list[Path], typer.Argument(help="metrics.json of every seed and fold.")], out: Out
) -> None:
    """Average the folds and seeds of a run into summary.csv and summary.json, and show them."""
    import json

    from rich.console import Console

    from clef.evaluation import summary
    from clef.evaluation.terminal import format_table

    params = _run_params(run)
    read = [json.loads(path.read_text(encoding="utf-8")) for path in metrics]
    table, details = summary.summarize(read, run, params.evaluate.bootstrap, params.dataset.adapter)
    summary.write_summary(out.parent, table, details)
    Console().print(format_table(details))


@app.command()
def show(run: Annotated[str, typer.Argument(help="Name of a finished run, or the path of its summary.json.")]) -> None:
    """Show the summary of a run."""
    import json

    from rich.console import Console

    from clef.evaluation.terminal import format_table

    path = Path(run) if run.endswith(".json") else Path("results") / run / "summary.json"
    try:
        details = json.loads(path.read_text(encoding="utf-8"))
        table = format_table(details)
    except FileNotFoundError:
        raise ClefError(f"{path}: no such file; finish the run, or give the path of its summary.json") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ClefError(f"{path}: not a summary; expected the summary.json that `clef summarize` wrote") from None
    Console().print(table)


@app.command()
def params(run: Run) -> None:
    """Print the params of a run with every default filled in."""
    import yaml

    resolved = _run_params(run)
    print(f"# crops: {resolved.crop_digest}")
    print(yaml.safe_dump(resolved.model_dump(mode="json", by_alias=True), sort_keys=False), end="")


def _run_params(run: str) -> "Params":
    """Params of a run, read from its own file and its parents: no other file can stop it."""
    from clef.runs import load_params

    path = _settings["params"] / f"{run}.yaml"
    if run.endswith(".yaml") or not path.exists():
        known = ", ".join(sorted(other.stem for other in _settings["params"].glob("*.yaml")))
        raise ClefError(f"{_settings['params']}: no run {run}; expected one of {known or 'the files there'}")
    return load_params(path)


def _dataset_params(dataset: str, crop: str | None = None) -> "Params":
    """Params of any run over a data set with these crops: they agree on all that its rules need."""
    from clef.params import ParamsError
    from clef.runs import load_params

    of_dataset, broken = [], None
    for path in sorted(_settings["params"].glob("*.yaml")):
        try:
            params = load_params(path)
        except ParamsError as error:
            broken = error
            continue
        if params.dataset.name == dataset:
            of_dataset.append(params)
    if not of_dataset:
        raise broken or ClefError(f"{_settings['params']}: no run over a data set {dataset}")
    for params in of_dataset:
        if crop in (None, params.crop_digest):
            return params
    known = ", ".join(sorted({params.crop_digest for params in of_dataset}))
    raise ClefError(f"--crop: no run over {dataset} has crops {crop}; expected one of {known}")


def _training(run: str, fold: int, crops: Path) -> "tuple[Params, Fold, dict[str, Path]]":
    from clef.datasets import open_dataset
    from clef.folds import make_folds

    params = _run_params(run)
    adapter = open_dataset(params)
    folds = make_folds(adapter)
    if not 0 <= fold < len(folds):
        raise ClefError(f"--fold: {run} has no fold {fold}; expected 0 to {len(folds) - 1}")
    return params, folds[fold], _shards(adapter.shards(), crops)


def _shards(names: list[str], crops: Path) -> dict[str, Path]:
    return {name: crops / f"{name}.arrow" for name in names}


def main() -> None:
    """Run the command line: an error that the user can mend is one line and exit code 1."""
    try:
        app()
    except ClefError as error:
        if _settings["debug"]:
            raise
        print(f"clef: error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
