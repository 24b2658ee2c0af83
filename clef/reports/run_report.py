"""The report of a run: `report.html`, and its tables for papers in `tables/`.

The page depends only on the results, the files beside the weights, the run's ablation and probes if there are any, and
the reports of `clef ingest` about the raw copies. It has neither a date nor anything of the machine that writes it, so
equal files give equal bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.run.curves import calibration, precision_recall, threshold_counts
from clef.evaluation.run.fold_metrics import MetricsGrid, cross_validation
from clef.evaluation.run.rows import interval, percent, row_names
from clef.evaluation.run.spread import Spread, spread
from clef.evaluation.run.terminal_summary import verdict
from clef.evaluation.run.unit_scores import write_unit_tables
from clef.params.schema import Params
from clef.plots.f1 import f1_figure
from clef.plots.panels import calibration_panel, precision_recall_panel, spread_panel
from clef.plots.style import plot_style, subtitle
from clef.plots.training_curves import Curves, stage1_folders, training_figure
from clef.reports import provenance, run_tables
from clef.reports.page import inline_svg, render
from clef.reports.table import latex, markdown
from clef.runtime.files import write_text
from clef.runtime.paths import check_file

FIGURE_WIDTH = 4.2
"""Inches; small enough that texts can be read on a phone."""
MOST_FOLDS = 10
"""Largest number of folds that get curves of their own."""

Panel = tuple[str, str, Markup]
"""Name of a label, a number as text, and the plot."""


def write_report(
    folder: Path,
    params: Params,
    summary: dict[str, Any],
    fold_metrics: Mapping[Path, dict[str, Any]],
    training: Mapping[str, Curves],
    stage1: str | None,
    rendered: Sequence[str],
) -> None:
    """Write the report of a run and its tables from the content of `summary.json` and the metrics by path.

    `training` and `stage1` are as for the plots: the losses, and the run that trained stage 1, if any. `rendered` names
    the data sets of training and test whose people are drawn by the project.
    """
    folds = [path.parent for path in fold_metrics]
    trainings = provenance.read_trainings(folds, [] if stage1 is None else stage1_folders(folds, stage1))
    scores = list(fold_metrics.values())
    grid = cross_validation(scores)
    found = spread(grid, row_names(summary), summary["pooled"])
    tables = {"summary": run_tables.headline_table(summary), "published": run_tables.published_table(summary)}
    with_folds = 1 < len(summary["folds"]) <= MOST_FOLDS
    headline = summary["rows"]["accuracy" if "accuracy" in summary["rows"] else "mean"]
    with plot_style():
        page = render(
            "run.html",
            summary=summary,
            subtitle=subtitle(summary),
            verdict=verdict(summary),
            rendered=rendered,
            headline=headline,
            percent=percent,
            interval=interval,
            f1=inline_svg(f1_figure(summary, FIGURE_WIDTH), "f1", "F1 of each label; the table has its values"),
            results=tables["summary"],
            more=run_tables.more_table(summary),
            ranking=run_tables.ranking_table(summary),
            published=tables["published"],
            with_folds=with_folds,
            curves=_curves(summary, grid, with_folds),
            tuned=run_tables.tuned_table(summary),
            confusion=run_tables.confusion_shares(scores) if summary["kind"] == "expressions" else None,
            spread=_spread(summary, found),
            subjects=run_tables.subjects_table(found, summary["resampled"]) if found.unit_names else None,
            training=[
                inline_svg(training_figure(summary["run"], {stage: curves}, stage1), stage, f"losses of {stage}")
                for stage, curves in training.items()
            ],
            ablation=run_tables.read_ablation(folder / "ablation.csv", summary),
            probe=run_tables.read_probe(folds),
            status=run_tables.status_table(summary),
            labels=run_tables.labels_table(summary),
            folds=run_tables.folds_table(grid),
            checks=_checks(summary),
            trainings=provenance.training_table(trainings),
            facts=provenance.facts(trainings),
            texts=provenance.texts_table(trainings),
            crops=params.crop_digest,
            params=yaml.safe_dump(params.model_dump(mode="json", by_alias=True), sort_keys=False),
        )
    for name, table in tables.items():
        if table is not None:
            write_text(folder / "tables" / f"{name}.tex", latex(table))
            write_text(folder / "tables" / f"{name}.md", markdown(table))
    write_unit_tables(folder / "tables", grid, summary)
    write_text(folder / "report.html", page)


def _curves(summary: dict[str, Any], grid: MetricsGrid, with_folds: bool) -> dict[str, list[Panel]]:
    """Precision-recall and calibration of each label, if wanted with curves of single folds."""
    of_folds = [[of_seed[fold["fold"]] for of_seed in grid.values()] for fold in summary["folds"]]
    scores = [m for of_fold in of_folds for m in of_fold]
    together = threshold_counts(scores)
    by_fold = [precision_recall(threshold_counts(of_fold)) for of_fold in of_folds if with_folds]
    precision, recall = precision_recall(together)
    calibrated = calibration(together)
    strict = np.sum([BootstrapUnits.from_records(m["resampled"], m["counts"]).total() for m in scores], axis=0)
    points = list(zip(metrics.recall(strict), metrics.precision(strict), strict=True))
    panels: dict[str, list[Panel]] = {"precision_recall": [], "calibration": []}
    for i, label in enumerate(summary["labels"]):
        row = summary["rows"][label]
        figure = precision_recall_panel(
            [(fold[0][i], fold[1][i]) for fold in by_fold], (precision[i], recall[i]), row["base_rate"] or 0, points[i]
        )
        svg = inline_svg(figure, f"precision-recall-{i}", f"precision against recall of {label}")
        panels["precision_recall"].append((label, f"AP {percent(row['ap'])}", svg))
        figure = calibration_panel(calibrated.predicted[i], calibrated.observed[i], calibrated.frames[i])
        svg = inline_svg(figure, f"calibration-{i}", f"calibration of {label}")
        panels["calibration"].append((label, f"error {percent(row['calibration_error'])}", svg))
    return panels


def _spread(summary: dict[str, Any], found: Spread) -> tuple[list[str], list[Panel]] | None:
    """Folds, seeds and subjects of which there are several, and their scores in each label and total."""
    kinds = {"folds": found.folds, "seeds": found.seeds, summary["resampled"]: found.units}
    shown = {kind: values for kind, values in kinds.items() if len(values) > 1}
    panels = []
    for i, name in enumerate(found.names):
        figure = spread_panel([(kind, values[:, i]) for kind, values in shown.items()], summary["rows"][name]["f1"])
        svg = inline_svg(figure, f"spread-{i}", f"scores of {name} by {', '.join(shown)}")
        panels.append((name, percent(summary["rows"][name]["f1"]), svg))
    return (list(shown), panels) if shown else None


def _checks(summary: dict[str, Any]) -> dict[str, str]:
    """The reports of `clef ingest` about the raw copies that the run was trained and tested on, if they exist."""
    files = {name: check_file(name) for name in (summary["trained_on"], summary["dataset"])}
    return {name: file.read_text(encoding="utf-8").rstrip() for name, file in files.items() if file.is_file()}
