"""Subcommands that score a run and show its summary."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clef.cli.app import RESULTS_PANEL, app, step
from clef.cli.find_run import other_test_data, require_known, run_params, training
from clef.cli.options import FoldNumber, Manifest, Out, Run, Seed, TestManifest
from clef.errors import ClefError
from clef.runtime.lease import leased
from clef.runtime.paths import results_folder


@step(
    "clef evaluate demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--weights results/demo/seed0/fold0/finetune.safetensors "
    "--epochs results/demo/seed0/fold0/finetune.epochs.parquet "
    "--predictions results/demo/seed0/fold0/predictions.parquet --out results/demo/seed0/fold0/metrics.json"
)
def evaluate(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    weights: Annotated[Path, typer.Option(help="Weights of stage 2, from `clef finetune`.")],
    epochs: Annotated[Path, typer.Option(help="Test predictions after each epoch, from `clef finetune`.")],
    predictions: Annotated[Path, typer.Option(help="Table of predictions to write.")],
    out: Out,
    inner: Annotated[
        Path | None, typer.Option(help="Predictions for the held-out subjects, from `clef finetune --inner`.")
    ] = None,
    test_manifest: TestManifest = None,
) -> None:
    """Score the predictions that stage 2 made for the test frames of its fold."""
    from clef.evaluation.fold.evaluate_fold import evaluate_fold
    from clef.tracking.hooks import track_evaluation

    params, split, inputs = training(run, fold, manifest)
    other = other_test_data(params, test_manifest)
    with leased(out), track_evaluation(params, weights, out):
        evaluate_fold(params, seed, split, inputs, weights, epochs, predictions, out, inner, other)


@step("clef summarize demo results/demo/seed0/fold*/metrics.json --out results/demo/summary.csv")
def summarize(
    run: Run, metrics: Annotated[list[Path], typer.Argument(help="The metrics.json of every seed and fold.")], out: Out
) -> None:
    """Average the folds and seeds of a run, write summary, plots and report, and show the summary."""
    from clef.datasets import adapter_of, open_dataset
    from clef.evaluation.run import summary
    from clef.evaluation.run.published import published_protocol
    from clef.plots.all_plots import write_plots
    from clef.plots.training_curves import read_training
    from clef.reports.run_report import write_report
    from clef.tracking.hooks import track_summary

    params = run_params(run)
    pooled = params.folds.protocol == "leave_one_out" and params.test is None
    # Published results are of labels that were trained on.
    published = None if params.labels.zero_shot else published_protocol(open_dataset(params))
    datasets = [params.dataset] if params.test is None else [params.dataset, run_params(params.test.run).dataset]
    rendered = [dataset.name for dataset in datasets if adapter_of(dataset.adapter).rendered]
    with leased(out), track_summary(params, out.parent):
        fold_metrics = [json.loads(path.read_text(encoding="utf-8")) for path in metrics]
        table, details = summary.summarize(fold_metrics, run, params.evaluate.bootstrap, published, pooled)
        stage1 = None if params.pretrain is None else params.pretrain.from_ or run
        losses = read_training([path.parent for path in metrics], stage1)
        write_plots(out.parent / "plots", details, fold_metrics, losses, stage1)
        by_path = dict(zip(metrics, fold_metrics, strict=True))
        write_report(out.parent, params, details, by_path, losses, stage1, rendered)
        summary.write_summary(out.parent, table, details)
    _print(details)


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef show demo")
def show(run: Annotated[str, typer.Argument(help="Name of a finished run, or the path of its summary.json.")]) -> None:
    """Show the summary of a run."""
    path = Path(run) if run.endswith(".json") else results_folder(run) / "summary.json"
    try:
        _print(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        if not run.endswith(".json"):
            require_known(run)
        raise ClefError(f"{path}: no such file; finish the run, or give the path of its summary.json") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ClefError(f"{path}: not a summary; expected a summary.json from `clef summarize`") from None


def _print(details: dict[str, Any]) -> None:
    """Format all tables before printing any, so that a file that is no summary prints nothing."""
    from rich.console import Console

    from clef.evaluation.run.terminal_summary import format_published, format_summary

    tables = [format_summary(details), format_published(details)]
    for table in tables:
        if table is not None:
            Console().print(table)
