"""The page of `clef compare --html`."""

from collections.abc import Sequence
from pathlib import Path

from clef.comparison.comparison_table import (
    chance_alone,
    differences_by_seed,
    headline_differences,
    intervals_are,
    metric_name,
)
from clef.comparison.differences import ComparedRun, Comparison
from clef.comparison.finished_run import FinishedRun
from clef.comparison.setting_differences import SettingDifferences
from clef.evaluation.run.rows import interval, percent, points, points_interval
from clef.evaluation.run.summary import OPTIMISTIC
from clef.plots.differences import differences_figure
from clef.plots.style import plot_style
from clef.reports.page import inline_svg, render
from clef.reports.run_tables import HEADLINE
from clef.reports.table import Table
from clef.runtime.files import write_text


def write_comparison(
    target: Path, runs: Sequence[FinishedRun], comparison: Comparison, settings: SettingDifferences
) -> None:
    """Write a page with the runs, their differences to the first one, and the settings that differ."""
    totals = len(comparison.others[0].rows) - len(comparison.labels)
    with plot_style():
        plots = {
            other.run: inline_svg(
                differences_figure(other, totals), f"differences-{number}", f"{other.run} minus {comparison.first}"
            )
            for number, other in enumerate(comparison.others)
        }
    labels = {run.name: [label for label in run.labels if label not in comparison.labels] for run in runs}
    results = _runs_table(runs, comparison)
    page = render(
        "comparison.html",
        runs=[run.name for run in runs],
        dataset=runs[0].summary["dataset"],
        metric=metric_name(comparison),
        first=comparison.first,
        results=results,
        optimistic=[key for key in OPTIMISTIC if HEADLINE[key] in results.columns],
        headline=_headline_table(comparison, len(runs[0].folds)),
        labels=[(_labels_table(comparison, other, totals), plots[other.run]) for other in comparison.others],
        not_compared={name: more for name, more in labels.items() if more},
        intervals_are=intervals_are(runs, comparison),
        with_intervals=comparison.resamples > 0,
        settings=_settings_table(runs, settings) if settings.values else None,
        notes=settings.notes,
    )
    write_text(target, page)


def _runs_table(runs: Sequence[FinishedRun], comparison: Comparison) -> Table:
    rows = [run.summary["rows"][comparison.headline] for run in runs]
    shown = [key for key in HEADLINE if any(row.get(key) is not None for row in rows)]
    cells = [
        [run.name, percent(row["f1"]), interval(row), *(percent(row.get(key)) for key in shown)]
        for run, row in zip(runs, rows, strict=True)
    ]
    score = "accuracy" if comparison.headline == "accuracy" else "F1, strict"
    columns = ["run", score, "95 % interval", *(HEADLINE[key] for key in shown)]
    caption = "Results of each run in per cent; other columns than accuracies are means over classes."
    if comparison.headline == "mean":
        caption = "Results of each run in per cent, means over labels."
    return Table(caption, columns, cells, "l" + "r" * (len(columns) - 1))


def _headline_table(comparison: Comparison, folds: int) -> Table:
    value, columns, rows = headline_differences(comparison, folds)
    caption = f"{value[0].upper()}{value[1:]}, minus that of {comparison.first}, in percentage points."
    by_seed = [differences_by_seed(other) for other in comparison.others]
    if any(by_seed):
        columns, rows = (
            [*columns, "difference (seed)"],
            [[*row, seeds] for row, seeds in zip(rows, by_seed, strict=True)],
        )
    return Table(caption, columns, rows, "lrrrrl"[: len(columns)])


def _labels_table(comparison: Comparison, other: ComparedRun, totals: int) -> Table:
    rows = [
        [label, percent(row.first), percent(row.other), points(row.difference), points_interval(row.low, row.high)]
        for label, row in other.rows.items()
    ]
    marked = frozenset(i for i, row in enumerate(other.rows.values()) if row.excludes_zero)
    caption = f"{metric_name(comparison)} of each label in per cent, and the difference in percentage points."
    if comparison.resamples:
        caption += f" Bold: the interval excludes 0; {chance_alone(comparison)}"
    columns = ["", comparison.first, other.run, "difference", "95 % interval"]
    return Table(f"{caption[0].upper()}{caption[1:]}", columns, rows, "lrrrr", totals, marked)


def _settings_table(runs: Sequence[FinishedRun], settings: SettingDifferences) -> Table:
    rows = [[key, *values] for key, values in settings.values.items()]
    return Table("Settings that differ.", ["key", *(run.name for run in runs)], rows, "l" * (len(runs) + 1))
