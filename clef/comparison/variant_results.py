"""The table of a run's variants: what each part of the method is worth.

Each row is a variant, under the params of the run and under the settings of the table. Rows are compared with the first
one under the same setting, by the paired intervals of `clef.comparison.differences`. Several runs that differ only in
their data, such as rendered data sets of different seeds, count as one with all of their folds.

The CSV has one row per variant, with scores between 0 and 1, empty if there are none:

- `row`, `about`, `parts`: name and meaning of the variant, and the parts of the method that it uses, as in the paper;
- `f1`, `ci_low`, `ci_high`: mean strict F1, or accuracy for expressions, and its interval;
- `difference`, `difference_low`, `difference_high`: minus that of the first row;
- `f1_within_activity`;
- these with a setting as suffix, such as `f1_labels10`;
- `identity_stage1`, `activity_stage1`, `auc_stage1`, and the same of stage 2: what a linear probe reads from the frozen
  features, see `clef.evaluation.probe.table`;
- `published`: the paper's result for the row on this data set;
- `note`: why a row has no scores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from clef.comparison.comparison_table import points, points_interval
from clef.comparison.differences import Difference, compare
from clef.comparison.finished_run import FinishedRun
from clef.evaluation.probe.table import HEADINGS, probe_table
from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.rows import percent
from clef.evaluation.run.summary import summarize
from clef.runs import variants
from clef.runs.variants import TableRow, VariantTable


@dataclass(frozen=True)
class Cell:
    """Scores of a row under a setting."""

    f1: float
    low: float | None
    high: float | None
    within_activity: float | None
    difference: Difference | None
    """From the first row; None in that row."""


@dataclass(frozen=True)
class RowResults:
    """A row with its scores by setting, or with the reason why it has none."""

    row: TableRow
    published: float | None
    cells: Mapping[str | None, Cell]
    probe: Mapping[str, float]
    """Columns of the probes; empty if there are none."""
    note: str = ""


Read = Callable[[str], tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]] | str]
"""Returns `metrics.json` and `probe.json` of all seeds and folds of a run, or the reason why it cannot be trained."""


def variant_results(
    runs: Sequence[str], table: VariantTable, read: Read, dataset: str, resamples: int, pooled: bool = False
) -> list[RowResults]:
    """Read the results of all variants of the runs, and compare them.

    Args:
        runs: Runs of which the variants were made; more than one are put together.
        table: Rows and settings.
        read: Finds the metrics and probes of a variant.
        dataset: Adapter of the runs, which decides what published results are shown.
        resamples: Draws of the bootstrap, 0 for no intervals.
        pooled: Compute F1 from the counts of all folds together.

    Raises:
        ClefError: Variants were tested on different data.
    """
    notes: dict[str, str] = {}
    cells: dict[str, dict[str | None, Cell]] = {row.row: {} for row in table.rows}
    probes: dict[str, dict[str, float]] = {row.row: {} for row in table.rows}
    for setting in (None, *table.settings):
        finished: dict[str, FinishedRun] = {}
        for row in table.rows:
            answers = [read(table.variant(run, row, setting)) for run in runs]
            found = [answer for answer in answers if not isinstance(answer, str)]
            if len(found) < len(answers):
                notes[row.row] = next(answer for answer in answers if isinstance(answer, str))
                continue
            finished[row.row] = _together(row.row, runs, [metrics for metrics, _ in found], pooled, resamples)
            if table.probe and setting is None:
                probes[row.row] = _probe_columns([probe for _, of_run in found for probe in of_run])
        if table.rows[0].row not in finished:
            continue
        comparison = compare(list(finished.values()), resamples=resamples) if len(finished) > 1 else None
        differences = {} if comparison is None else {c.run: c.rows[comparison.headline] for c in comparison.others}
        for name, merged in finished.items():
            summary = merged.summary
            score = summary["rows"]["accuracy" if summary["kind"] == "expressions" else "mean"]
            within = summary["rows"]["mean"]["f1_within_activity"]
            cells[name][setting] = Cell(score["f1"], score["ci_low"], score["ci_high"], within, differences.get(name))
    return [
        RowResults(row, _share(row.published.get(dataset)), cells[row.row], probes[row.row], notes.get(row.row, ""))
        for row in table.rows
    ]


def as_table(results: Sequence[RowResults], settings: Sequence[str]) -> pd.DataFrame:
    """Make the table of the CSV file."""
    rows = []
    for result in results:
        values: dict[str, Any] = {"row": result.row.row, "about": result.row.about, "parts": result.row.parts}
        for setting in (None, *settings):
            cell, suffix = result.cells.get(setting), f"_{setting}" if setting else ""
            difference = cell.difference if cell else None
            values |= {
                f"f1{suffix}": cell and cell.f1,
                f"ci_low{suffix}": cell and cell.low,
                f"ci_high{suffix}": cell and cell.high,
                f"difference{suffix}": difference and difference.difference,
                f"difference_low{suffix}": difference and difference.low,
                f"difference_high{suffix}": difference and difference.high,
                f"f1_within_activity{suffix}": cell and cell.within_activity,
            }
        rows.append({**values, **result.probe, "published": result.published, "note": result.note})
    table = pd.DataFrame(rows)
    texts = ("row", "about", "parts", "note")
    return table.astype({column: "float64" for column in table if column not in texts})


def format_results(results: Sequence[RowResults], settings: Sequence[str]) -> Iterator[Table]:
    """Format a table for the terminal under the params of the run, and one for each setting."""
    known = variants.settings()
    for setting in (None, *settings):
        about = f"; {known[setting].about}" if setting else ""
        table = Table(title=f"Variants, in %{about}", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("row")
        for heading in ("F1", "within\nactivity", "difference", "95 % interval"):
            table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
        for result in results:
            about_row = f"{result.row.about} ({result.row.parts})" if result.row.parts else result.row.about
            if (cell := result.cells.get(setting)) is None:
                table.add_row(
                    about_row, "", "", "", "needs weights" if "needs weights" in result.note else "not trained"
                )
                continue
            difference = cell.difference
            compared = ("", "") if difference is None else (points(difference.difference), points_interval(difference))
            table.add_row(about_row, percent(cell.f1), percent(cell.within_activity), *compared)
        if setting is None and any(result.note for result in results):
            table.caption = "The column `note` of the file says why rows have no scores."
        yield table


def _together(
    name: str, runs: Sequence[str], found: Sequence[Sequence[Mapping[str, Any]]], pooled: bool, resamples: int
) -> FinishedRun:
    """Put the folds of all runs into one cross-validation, in which each run has its own subjects."""
    if len(runs) == 1:
        metrics = [dict(fold) for fold in found[0]]
    else:
        metrics = [
            _named_after(run, fold, " and ".join(runs))
            for run, folds in zip(runs, found, strict=True)
            for fold in folds
        ]
    _, summary = summarize(metrics, name, resamples, pooled=pooled)
    return FinishedRun(name, Path(), summary, cross_validation(metrics))


def _named_after(run: str, fold: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Name the fold and its subjects after the run."""

    def renamed(units: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        return units and [{**unit, "unit": unit["unit"] and f"{run}/{unit['unit']}"} for unit in units]

    changed: dict[str, Any] = {"dataset": dataset, "fold": f"{run}/{fold['fold']}"}
    changed["subjects"] = [f"{run}/{subject}" for subject in fold["subjects"]]
    changed |= {key: renamed(fold.get(key)) for key in ("counts", "counts_activity_only")}
    return {**fold, **changed}


def _probe_columns(probes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over seeds and folds of what is read from the features of both stages."""
    if not probes:
        return {}
    table = probe_table(probes).set_index("weights")
    columns = [name for name in HEADINGS if name in table]
    return {
        f"{column}_stage{stage}": float(table[column][f"after stage {stage}"])
        for stage in (1, 2)
        if f"after stage {stage}" in table.index
        for column in columns
    }


def _share(per_cent: float | None) -> float | None:
    return None if per_cent is None else per_cent / 100
