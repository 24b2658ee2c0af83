"""Subcommands that score a run and show it."""

from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import app
from clef.cli.lookup import run_params, training
from clef.cli.options import Crops, FoldNumber, Manifest, Out, Run, Seed
from clef.errors import ClefError


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
    inner: Annotated[Path | None, typer.Option(help="Predictions of the subjects that `tune` held out.")] = None,
) -> None:
    """Predict the test frames of a fold and score them."""
    from clef.evaluation.evaluate import evaluate as run_evaluate
    from clef.training.inputs import Inputs

    params, split, shards = training(run, fold, crops)
    run_evaluate(params, seed, split, Inputs(manifest, shards), weights, epochs, predictions, out, inner)


@app.command()
def summarize(
    run: Run, metrics: Annotated[list[Path], typer.Argument(help="metrics.json of every seed and fold.")], out: Out
) -> None:
    """Average the folds and seeds of a run into summary.csv and summary.json, and show them."""
    import json

    from rich.console import Console

    from clef.evaluation import summary
    from clef.evaluation.terminal import format_table

    params = run_params(run)
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

    resolved = run_params(run)
    print(f"# crops: {resolved.crop_digest}")
    print(yaml.safe_dump(resolved.model_dump(mode="json", by_alias=True), sort_keys=False), end="")
