"""A comparison on the terminal: the runs, how they differ, and the settings that differ."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clef.comparison.differences import AgainstFirst, Comparison, Difference
from clef.comparison.finished import FinishedRun
from clef.comparison.settings import SettingDifferences

COLUMNS = {
    "f1_tuned": "tuned",
    "f1_field": "field*",
    "auc": "AUC",
    "f1_within_activity": "within\nactivity",
    "floor": "floor",
    "activity_only": "activity\nonly",
}
"""Beside the headline and its interval; columns that no run has are left out."""

LABEL_WIDTH, CELL_WIDTH = 15, 26


def format_comparison(
    runs: Sequence[FinishedRun], comparison: Comparison, settings: SettingDifferences, width: int
) -> Iterator[RenderableType]:
    """Everything that `clef compare` prints, part by part, for a terminal of so many columns."""
    yield from _runs_part(runs, comparison)
    yield from _headline_part(comparison)
    yield from _labels_part(comparison, width)
    yield _small_print(comparison, one_seed=all(len(run.grid) == 1 for run in runs))
    yield from _settings_part(runs, settings)


def _runs_part(runs: Sequence[FinishedRun], comparison: Comparison) -> Iterator[RenderableType]:
    yield _title(f"{runs[0].summary['dataset']}, {_number(comparison.folds, 'fold')}, per cent")
    rows = [run.summary["rows"][comparison.headline] for run in runs]
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    table = _table("run", "accuracy" if comparison.headline == "accuracy" else "F1\nstrict", "95 %\ninterval")
    for key in shown:
        table.add_column(COLUMNS[key], justify="right", no_wrap=True)
    for run, row in zip(runs, rows, strict=True):
        interval = "" if row["ci_low"] is None else f"{_percent(row['ci_low'])} - {_percent(row['ci_high'])}"
        table.add_row(run.name, _percent(row["f1"]), interval, *(_percent(row.get(key)) for key in shown))
    yield table
    if "f1_field" in shown:
        yield _dim("* the best epoch on the test folds: optimistic")
    for run_name, labels in comparison.left_out.items():
        yield _dim(f"{run_name} has {', '.join(labels)} too: counted in its row above, not compared below")


def _headline_part(comparison: Comparison) -> Iterator[RenderableType]:
    what = "accuracy" if comparison.headline == "accuracy" else f"mean {_metric(comparison)}"
    yield _title(f"{what}, less that of {comparison.first}; percentage points")
    things = "expressions" if comparison.headline == "accuracy" else "AUs"
    table = _table("run", "difference", "95 % interval", "folds won", f"{things} won")
    for other in comparison.others:
        row = other.rows[comparison.headline]
        folds = f"{other.folds_won} of {comparison.folds}"
        labels = f"{other.labels_won} of {len(comparison.labels)}"
        table.add_row(other.run, _points(row.difference), _interval(row), folds, labels)
    yield table


def _labels_part(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    """As many runs side by side as fit."""
    yield _title(f"{_metric(comparison)} of each label, less that of {comparison.first}; percentage points")
    step = max(1, (width - LABEL_WIDTH) // CELL_WIDTH)
    for start in range(0, len(comparison.others), step):
        if start:
            yield ""
        yield _labels_table(comparison, comparison.others[start : start + step])


def _labels_table(comparison: Comparison, others: list[AgainstFirst]) -> Table:
    table = _table("", comparison.first, *(other.run for other in others))
    for column in table.columns:
        column.no_wrap, column.overflow = False, "fold"
    for label in others[0].rows:
        table.add_row(label, _percent(others[0].rows[label].first), *(_cell(other.rows[label]) for other in others))
    return table


def _cell(row: Difference) -> Text:
    interval = _interval(row)
    text = f"{_points(row.difference)} ({interval})" if interval else _points(row.difference)
    return Text(f"{text} !" if row.excludes_zero else f"{text}  ", style="bold" if row.excludes_zero else "")


def _small_print(comparison: Comparison, one_seed: bool) -> Text:
    if not comparison.resamples:
        return _dim("no intervals: no resamples were asked for")
    how = f"paired bootstrap over {comparison.resampled} within folds"
    if not comparison.paired:
        how = "bootstrap over images, run by run, since metrics do not tell image from image: wider than a paired one"
    number = len(comparison.labels)
    return _dim(
        f"\nIntervals: 95 %, {comparison.resamples} draws, {how}; conditional on the trained models"
        f"{': with one seed, nothing here tells a better method from a luckier start' if one_seed else ''}.\n"
        f"! interval without 0; not corrected for {number} comparisons a run, of which chance alone would mark about "
        f"{0.05 * number:.1f}."
    )


def _settings_part(runs: Sequence[FinishedRun], settings: SettingDifferences) -> Iterator[RenderableType]:
    yield _title("settings that differ" if settings.values else "no setting differs")
    if settings.values:
        table = _table("key", *(run.name for run in runs))
        for column in table.columns[1:]:
            column.justify, column.no_wrap, column.overflow = "left", False, "fold"
        for key, values in settings.values.items():
            table.add_row(key, *map(Text, values))
        yield table
    for note in settings.notes:
        yield _dim(note)


def _title(text: str) -> Text:
    return Text(f"\n{text}\n", style="bold")


def _dim(text: str) -> Text:
    return Text(text, style="dim")


def _table(first: str, *others: str) -> Table:
    """A table without edges: the first column to the left, and may be folded; numbers to the right."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold", vertical="bottom")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _metric(comparison: Comparison) -> str:
    return "strict F1" if comparison.metric == "f1" else f"strict {comparison.metric}"


def _interval(row: Difference) -> str:
    return "" if math.isnan(row.low) else f"{_points(row.low)} to {_points(row.high)}"


def _points(share: float) -> str:
    """Percentage points with a sign; nothing where undefined, and no sign on what rounds to nothing."""
    if math.isnan(share):
        return ""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def _percent(share: Any) -> str:
    """Per cent of a share, rounded by way of the four decimals of the summary, so that both print the same."""
    return "" if share is None or math.isnan(share) else f"{100 * round(share, 4):.1f}"


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
