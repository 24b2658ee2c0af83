"""Format a comparison: for the terminal with the settings that differ, and its differences as a csv file."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from clef.comparison.differences import ComparedRun, Comparison, Difference
from clef.comparison.finished_run import FinishedRun
from clef.comparison.setting_differences import SettingDifferences
from clef.evaluation.fold.metrics import ACCURACIES
from clef.evaluation.run.rows import interval, percent, points, points_interval
from clef.runtime.files import atomic_write

COLUMNS = {
    "f1_tuned": "tuned",
    "f1_field": "field*",
    "auc": "AUC",
    "f1_within_activity": "within\nactivity",
    "floor": "floor",
    "activity_only": "activity\nonly",
}
"""Columns beside the headline and its interval; columns without values are left out."""

LABEL_WIDTH, CELL_WIDTH = 15, 26
NAME_WIDTH = 18
"""Longer names of runs are broken after a separator, into lines of at most this width if possible."""


def format_comparison(
    runs: Sequence[FinishedRun], comparison: Comparison, settings: SettingDifferences, width: int
) -> Iterator[RenderableType]:
    """Yield the parts of the output of `clef compare`, for a terminal with `width` columns."""
    yield from _runs(runs, comparison)
    yield from _headline(comparison, len(runs[0].folds))
    yield from _labels(comparison, width)
    yield _explanation(runs, comparison)
    yield from _settings(runs, settings)


def write_differences(target: Path, comparison: Comparison) -> None:
    """Write one row per run and label: values between 0 and 1, four decimals; `difference` is `run` minus `first`."""
    with atomic_write(target) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["first", "run", "label", "metric", "value_first", "value", "difference", "ci_low", "ci_high"])
        for other in comparison.others:
            for label, row in other.rows.items():
                metric = label if label in ACCURACIES else comparison.metric
                values = (row.first, row.other, row.difference, row.low, row.high)
                # Adding 0.0 turns -0.0 into 0.0.
                texts = ["" if math.isnan(value) else f"{round(value, 4) + 0.0:.4f}" for value in values]
                writer.writerow([comparison.first, other.run, label, metric, *texts])


def _runs(runs: Sequence[FinishedRun], comparison: Comparison) -> Iterator[RenderableType]:
    folds = len(runs[0].folds)
    yield _title(f"{runs[0].summary['dataset']}, {folds} fold{'s' * (folds != 1)}, per cent")
    rows = [run.summary["rows"][comparison.headline] for run in runs]
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    headline = "accuracy" if comparison.headline == "accuracy" else "F1\nstrict"
    table = _table("run", headline, "95 %\ninterval", *(COLUMNS[key] for key in shown))
    for run, row in zip(runs, rows, strict=True):
        table.add_row(_lines(run.name), percent(row["f1"]), interval(row), *(percent(row.get(key)) for key in shown))
    yield table
    if "f1_field" in shown:
        yield _dim("* the best epoch on the test folds: optimistic")
    for run in runs:
        if more := [label for label in run.labels if label not in comparison.labels]:
            yield _dim(f"{run.name} also has {', '.join(more)}: included in its row above, not compared below")


def _headline(comparison: Comparison, folds: int) -> Iterator[RenderableType]:
    value, columns, rows = headline_differences(comparison, folds)
    yield _title(f"{value}, minus that of {comparison.first}; percentage points")
    table = _table(*columns)
    for run, *cells in rows:
        table.add_row(_lines(run), *cells)
    yield table
    for other in comparison.others:
        if by_seed := differences_by_seed(other):
            yield _dim(f"{other.run} by seed: {by_seed}")


def _labels(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    """Tables of all labels, each with as many runs as fit side by side."""
    yield _title(f"{metric_name(comparison)} of each label, minus that of {comparison.first}; percentage points")
    number = max(1, (width - LABEL_WIDTH) // CELL_WIDTH)
    for start in range(0, len(comparison.others), number):
        if start:
            yield ""
        others = comparison.others[start : start + number]
        table = _table("", *map(_lines, (comparison.first, *(other.run for other in others))), wrap=True)
        for label, row in others[0].rows.items():
            table.add_row(label, percent(row.first), *(_difference(other.rows[label]) for other in others))
        yield table


def _difference(row: Difference) -> Text:
    interval = points_interval(row.low, row.high)
    text = f"{points(row.difference)} ({interval})" if interval else points(row.difference)
    return Text(f"{text} !", style="bold") if row.excludes_zero else Text(f"{text}  ")


def _explanation(runs: Sequence[FinishedRun], comparison: Comparison) -> Text:
    if not comparison.resamples:
        return _dim("no intervals, because --resamples is 0")
    return _dim(f"\n{intervals_are(runs, comparison)}\n! the interval excludes 0; {chance_alone(comparison)}")


def headline_differences(comparison: Comparison, folds: int) -> tuple[str, list[str], list[list[str]]]:
    """What is compared, and the columns and rows of a table with a row per run after the first."""
    value, won = f"mean {metric_name(comparison)}", "AUs won"
    if comparison.headline == "accuracy":
        value, won = "accuracy", "expressions won"
    rows = []
    for other in comparison.others:
        row = other.rows[comparison.headline]
        wins = f"{other.folds_won} of {folds}", f"{other.labels_won} of {len(comparison.labels)}"
        rows.append([other.run, points(row.difference), points_interval(row.low, row.high), *wins])
    return value, ["run", "difference", "95 % interval", "folds won", won], rows


def intervals_are(runs: Sequence[FinishedRun], comparison: Comparison) -> str:
    """Say how the intervals were drawn and what they do not cover."""
    numbers = {len(run.grid) for run in runs}
    method = f"paired BCa bootstrap over {runs[0].summary['resampled']} within folds"
    if runs[0].summary["resampled"] == "images":
        method = "BCa bootstrap over the images of each run (wider than a paired one, but pairs are unknown)"
    seeds = "; conditional on the trained models"
    if max(numbers) > 1:
        same = all(list(run.grid) == list(runs[0].grid) for run in runs)
        seeds = f" and over seeds, {'paired' if same else 'separately for each list of seeds'}"
    one_seed = ". With one seed, they cannot tell a better method from a luckier start" if 1 in numbers else ""
    return f"Intervals: 95 %, {comparison.resamples} draws, {method}{seeds}{one_seed}."


def chance_alone(comparison: Comparison) -> str:
    """Say how many intervals exclude 0 if there is no difference."""
    number = len(comparison.labels)
    return (
        f"not corrected for {number} comparisons per run, of which chance alone would mark about {0.05 * number:.1f}."
    )


def _settings(runs: Sequence[FinishedRun], settings: SettingDifferences) -> Iterator[RenderableType]:
    yield _title("settings that differ" if settings.values else "no setting differs")
    if settings.values:
        table = _table("key", *(_lines(run.name) for run in runs), justify="left", wrap=True)
        for key, values in settings.values.items():
            table.add_row(key, *map(Text, values))
        yield table
    for note in settings.notes:
        yield _dim(note)


def _lines(name: str) -> str:
    lines = [""]
    for part in re.findall(r"[^-_./]*[-_./]?", name):
        if lines[-1] and len(lines[-1] + part) > NAME_WIDTH:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _title(text: str) -> Text:
    return Text(f"\n{text}\n", style="bold")


def _dim(text: str) -> Text:
    return Text(text, style="dim")


def _table(first: str, *others: str, justify: JustifyMethod = "right", wrap: bool = False) -> Table:
    """A table without borders. The first column is left-aligned and may wrap."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, overflow="fold", vertical="bottom")
    for heading in others:
        table.add_column(heading, justify=justify, no_wrap=not wrap, overflow="fold")
    return table


def metric_name(comparison: Comparison) -> str:
    """What is compared, such as `strict F1`."""
    return "strict F1" if comparison.metric == "f1" else f"strict {comparison.metric}"


def differences_by_seed(other: ComparedRun) -> str:
    """The difference of the headline under each seed; empty with fewer than two."""
    by_seed = [f"{points(difference)} ({seed})" for seed, difference in other.seeds.items()]
    return ", ".join(by_seed) if len(by_seed) > 1 else ""
