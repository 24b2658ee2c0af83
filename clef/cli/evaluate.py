"""Subcommands that score a run and show it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from clef.cli.app import DATA, RESULTS, app, step
from clef.cli.find_run import require_known, run_params, tested, training
from clef.cli.options import Crops, FoldNumber, Manifest, Out, Run, Seed, TestCrops, TestManifest
from clef.errors import ClefError
from clef.runtime.gpus import claim_gpus


@step(
    "clef evaluate demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --weights results/demo/seed0/fold0/finetune.safetensors "
    "--epochs results/demo/seed0/fold0/finetune.epochs.parquet "
    "--predictions results/demo/seed0/fold0/predictions.parquet --out results/demo/seed0/fold0/metrics.json"
)
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
    test_manifest: TestManifest = None,
    test_crops: TestCrops = None,
) -> None:
    """Predict the test frames of a fold and score them."""
    from clef.evaluation.fold.evaluate_fold import evaluate_fold
    from clef.runtime.lease import leased
    from clef.tracking.hooks import track_evaluation
    from clef.training.inputs import Inputs

    params, split, shards = training(run, fold, crops)
    if params.device == "cuda":
        claim_gpus(1)
    other = tested(params, test_manifest, test_crops)
    with leased(out), track_evaluation(params, weights, out):
        evaluate_fold(params, seed, split, Inputs(manifest, shards), weights, epochs, predictions, out, inner, other)


@step("clef summarize demo results/demo/seed0/fold*/metrics.json --out results/demo/summary.csv")
def summarize(
    run: Run, metrics: Annotated[list[Path], typer.Argument(help="metrics.json of every seed and fold.")], out: Out
) -> None:
    """Average the folds and seeds of a run into summary.csv and summary.json, with plots, and show them."""
    import json

    from clef.datasets import open_dataset
    from clef.evaluation.run import summary
    from clef.evaluation.run.published import published_protocol
    from clef.plots.run import write_plots
    from clef.runtime.lease import leased
    from clef.tracking.hooks import track_summary

    params = run_params(run)
    with leased(out), track_summary(params, out.parent):
        read = [json.loads(path.read_text(encoding="utf-8")) for path in metrics]
        pooled = params.folds.protocol == "leave_one_out" and params.test is None
        table, details = summary.summarize(
            read, run, params.evaluate.bootstrap, published_protocol(open_dataset(params)), pooled
        )
        stage1 = None if params.pretrain is None else params.pretrain.from_ or run
        write_plots(out.parent / "plots", details, dict(zip(metrics, read, strict=True)), stage1)
        summary.write_summary(out.parent, table, details)
    _print(details)


@app.command(rich_help_panel=RESULTS, epilog="Example: clef show demo")
def show(run: Annotated[str, typer.Argument(help="Name of a finished run, or the path of its summary.json.")]) -> None:
    """Show the summary of a run."""
    import json

    from clef.runtime.paths import results_folder

    path = Path(run) if run.endswith(".json") else results_folder(run) / "summary.json"
    try:
        _print(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        if not run.endswith(".json"):
            require_known(run)
        raise ClefError(f"{path}: no such file; finish the run, or give the path of its summary.json") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ClefError(f"{path}: not a summary; expected the summary.json that `clef summarize` wrote") from None


def _print(details: dict[str, Any]) -> None:
    """Show a summary; nothing of it, where it is none."""
    from rich.console import Console

    from clef.evaluation.run.terminal_summary import format_published, format_summary

    tables = [format_summary(details), format_published(details)]
    for table in tables:
        if table is not None:
            Console().print(table)


@app.command(rich_help_panel=DATA, epilog="Example: clef params demo")
def params(run: Run) -> None:
    """Print the params of a run with every default filled in."""
    import yaml

    resolved = run_params(run)
    print(f"# crops: {resolved.crop_digest}")
    print(yaml.safe_dump(resolved.model_dump(mode="json", by_alias=True), sort_keys=False), end="")
