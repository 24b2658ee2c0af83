"""The table of a run's variants: what each part of the method is worth.

Each row is a variant, under the params of the run and under the settings of the table. Rows are compared with the first
one under the same setting, by the paired intervals of `clef.comparison.differences`. Several runs that differ only in
their data, such as rendered data sets of different seeds, count as one with all of their folds.

The CSV has one row per variant, with scores between 0 and 1, empty if there are none:

- `row`, `about`, `parts`: name and meaning of the variant, and the parts of the method that it uses, as in the paper;
- `f1`, `ci_low`, `ci_high`: mean strict F1, or accuracy for expressions, and its interval;
- `difference`, `difference_low`, `difference_high`: minus that of the first row;
- `folds_ahead`, `folds_low`, `folds_high`: in how many folds it is higher than that of the first row, and the t
  interval of the differences in the folds, which includes the noise of the trainings;
- `against_difference`, `against_folds_ahead` and their intervals: the same for the row `against`, if a row of the table
  has one;
- `f1_within_activity`;
- `note`: why a row has no scores;
- all these with a setting as suffix, such as `f1_labels10`;
- `identity_stage1`, `activity_stage1`, `auc_stage1`, and the same of stage 2: what a linear probe reads from the frozen
  features, see `clef.evaluation.probe.table`; empty unless every seed and fold was probed;
- `published`: the paper's result for the row, if labels and folds are those of the paper.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from clef.comparison.differences import Difference, compare, folds_won, t_interval
from clef.comparison.finished_run import FinishedRun
from clef.evaluation.probe.table import HEADINGS, probe_table
from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.rows import interval, missing_scores, percent, points, points_interval
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
    """From the first row; None in that row, or without its scores."""
    against: Difference | None = None
    """From the other row that this row is compared with, if there is one."""
    folds: Sequence[float] = ()
    """Difference from the first row in each fold."""
    against_folds: Sequence[float] = ()
    """Difference from the other row in each fold."""


@dataclass(frozen=True)
class RowResults:
    """A row with its scores by setting, or with the reasons why it has none."""

    row: TableRow
    published: float | None
    cells: Mapping[str | None, Cell]
    probe: Mapping[str, float]
    """Columns of the probes; empty if there are none."""
    notes: Mapping[str | None, str] = field(default_factory=dict)
    """Why there are no scores under a setting."""


Read = Callable[[str], tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]] | str]
"""Returns `metrics.json` and `probe.json` of all seeds and folds of a run, or the reason why it cannot be trained."""


def variant_results(
    runs: Sequence[str], table: VariantTable, read: Read, published: str | None, resamples: int, pooled: bool = False
) -> list[RowResults]:
    """Read the results of all variants of the runs, and compare them.

    Args:
        runs: Runs of which the variants were made; more than one are put together.
        table: Rows and settings.
        read: Finds the metrics and probes of a variant.
        published: Data set whose published results are shown, None for none.
        resamples: Draws of the bootstrap, 0 for no intervals.
        pooled: Compute F1 from the counts of all folds together.

    Raises:
        ClefError: Variants were tested on different data.
    """
    notes: dict[str, dict[str | None, str]] = {row.row: {} for row in table.rows}
    cells: dict[str, dict[str | None, Cell]] = {row.row: {} for row in table.rows}
    probes: dict[str, dict[str, float]] = {row.row: {} for row in table.rows}
    for setting in (None, *table.settings):
        finished: dict[str, FinishedRun] = {}
        for row in table.rows:
            answers = [read(table.variant(run, row, setting)) for run in runs]
            found = [answer for answer in answers if not isinstance(answer, str)]
            if len(found) < len(answers):
                notes[row.row][setting] = next(answer for answer in answers if isinstance(answer, str))
                continue
            finished[row.row] = _together(row.row, runs, [metrics for metrics, _ in found], pooled, resamples)
            if table.probe and setting is None and all(probe for _, probe in found):
                probes[row.row] = _probe_columns([probe for _, of_run in found for probe in of_run])
        for row in (row for row in table.rows if row.row in finished):
            summary = finished[row.row].summary
            score = summary["rows"]["accuracy" if summary["kind"] == "expressions" else "mean"]
            within = summary["rows"]["mean"]["f1_within_activity"]
            pairs = [_compare(finished, row.row, other, resamples) for other in (table.rows[0].row, row.against)]
            differences, folds = zip(*pairs, strict=True)
            cells[row.row][setting] = Cell(score["f1"], score["ci_low"], score["ci_high"], within, *differences, *folds)
    return [
        RowResults(row, _share(row.published.get(published or "")), cells[row.row], probes[row.row], notes[row.row])
        for row in table.rows
    ]


def as_table(results: Sequence[RowResults], settings: Sequence[str]) -> pd.DataFrame:
    """Make the table of the CSV file."""
    rows = []
    against = any(result.row.against for result in results)
    for result in results:
        values: dict[str, Any] = {"row": result.row.row, "about": result.row.about, "parts": result.row.parts}
        values |= {"against": result.row.against} if against else {}
        for setting in (None, *settings):
            cell, suffix = result.cells.get(setting), f"_{setting}" if setting else ""
            compared = {"": (cell.difference, cell.folds) if cell else (None, ())}
            if against:
                compared["against_"] = (cell.against, cell.against_folds) if cell else (None, ())
            values |= {
                f"f1{suffix}": cell and cell.f1,
                f"ci_low{suffix}": cell and cell.low,
                f"ci_high{suffix}": cell and cell.high,
            }
            for prefix, (difference, folds) in compared.items():
                low, high = t_interval(folds)
                values |= {
                    f"{prefix}difference{suffix}": difference and difference.difference,
                    f"{prefix}difference_low{suffix}": difference and difference.low,
                    f"{prefix}difference_high{suffix}": difference and difference.high,
                    f"{prefix}folds_ahead{suffix}": folds_won(folds) if folds else None,
                    f"{prefix}folds_low{suffix}": low,
                    f"{prefix}folds_high{suffix}": high,
                }
            values |= {
                f"f1_within_activity{suffix}": cell and cell.within_activity,
                f"note{suffix}": result.notes.get(setting, ""),
            }
        rows.append({**values, **result.probe, "published": result.published})
    table = pd.DataFrame(rows)
    texts = {"row", "about", "parts", "against", "note", *(f"note_{setting}" for setting in settings)}
    return table.astype({column: "float64" for column in table if column not in texts})


def format_results(results: Sequence[RowResults], settings: Sequence[str]) -> Iterator[Table]:
    """Format a table for the terminal under the params of the run, one for each setting, and one of the probes.

    Rows are named by their parts, or else as in the name of the variant.
    """
    known = variants.settings()
    names = [result.row.parts or result.row.row for result in results]
    for setting in (None, *settings):
        published = setting is None and any(result.published is not None for result in results)
        headings = ["F1", "95 % interval", "within\nactivity", "difference", "95 % interval"]
        headings += ["paper"] if published else []
        table = _empty_table("Variants, in %" + (f"; {known[setting].about}" if setting else ""), headings)
        for name, result in zip(names, results, strict=True):
            cell = result.cells.get(setting)
            if cell is None:
                scores = ["", "", "", "", missing_scores(result.notes.get(setting, ""))]
            else:
                scores = [percent(cell.f1), interval({"ci_low": cell.low, "ci_high": cell.high})]
                scores += [percent(cell.within_activity), *_compared(cell.difference)]
            table.add_row(name, *scores, *([percent(result.published)] if published else []))
            if cell is not None and cell.against is not None:
                table.add_row(f"  minus {result.row.against}", "", "", "", *_compared(cell.against))
        if any(setting in result.notes for result in results):
            column = f"note_{setting}" if setting else "note"
            table.caption = f"The column `{column}` of the file says why rows have no scores."
        yield table
    if columns := list(dict.fromkeys(column for result in results for column in result.probe)):
        of_stages = [column.partition("_stage") for column in columns]
        headings = [f"{HEADINGS[name]}\nstage {stage}" for name, _, stage in of_stages]
        table = _empty_table("Read from frozen features, in %", headings)
        for name, result in zip(names, results, strict=True):
            table.add_row(name, *(percent(result.probe.get(column)) for column in columns))
        yield table


def _empty_table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("row")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    return table


def _compared(difference: Difference | None) -> tuple[str, str]:
    if difference is None:
        return "", ""
    return points(difference.difference), points_interval(difference.low, difference.high)


def _compare(
    finished: Mapping[str, FinishedRun], row: str, other: str | None, resamples: int
) -> tuple[Difference | None, tuple[float, ...]]:
    """A row's difference from another, and in each fold; None and empty without the other, and for itself."""
    if other is None or other == row or other not in finished:
        return None, ()
    comparison = compare([finished[other], finished[row]], resamples=resamples)
    return comparison.others[0].rows[comparison.headline], comparison.others[0].folds


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
