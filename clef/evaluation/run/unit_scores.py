"""The scores of single subjects and activities, from the counts of all folds and seeds.

`tables/subjects.csv` and `tables/activities.csv` have one row per subject or activity and label, then `mean` and for
expressions the accuracies, and at the end the rows of the whole run, named `all`. Columns: `subject` or `activity`,
`label`, `f1` (in the rows of accuracies, the accuracy), `frames` and `positives` (known test frames, and those that
show the label). A label that is never shown has no F1, because it would be 0 for every model; the mean is over the
others. The models of several folds meet in an activity, so its F1 is no mean over folds, unlike that of the run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import FN, TP, Counts, Floats, f1_where_shown, with_totals
from clef.evaluation.run.fold_metrics import MetricsGrid
from clef.evaluation.run.rows import row_names
from clef.runtime.files import write_text


def write_unit_tables(folder: Path, grid: MetricsGrid, summary: dict[str, Any]) -> None:
    """Write `subjects.csv` and `activities.csv`, each if the data set names them."""
    subjects = subject_counts(grid) if summary["resampled"] == "subjects" else {}
    for name, unit, counts in (("subjects", "subject", subjects), ("activities", "activity", activity_counts(grid))):
        if counts:
            text = unit_table(unit, counts, summary).to_csv(index=False, float_format="%.4f", lineterminator="\n")
            write_text(folder / f"{name}.csv", text)


def subject_counts(grid: MetricsGrid) -> dict[str, Counts]:
    """Subject or sequence to counts (labels, 4), added up over seeds; empty for images."""
    units = (BootstrapUnits.from_records(m["resampled"], m["counts"]) for m in _all(grid))
    return _add_up((each.names, each.counts) for each in units if each.names)


def activity_counts(grid: MetricsGrid) -> dict[str, Counts]:
    """Activity to counts (labels, 4), added up over seeds and folds; empty without activities."""
    of_folds = (m.get("counts_by_activity", {}) for m in _all(grid))  # metrics of an earlier version have none
    return _add_up((counts, np.array([*counts.values()])) for counts in of_folds)


def scores(counts: dict[str, Counts], labels: int, expressions: bool) -> Floats:
    """F1 of each label, their mean and for expressions the accuracies: (units, rows)."""
    stacked = np.array([*counts.values()]).reshape(-1, labels, 4)
    return with_totals(f1_where_shown(stacked), stacked, expressions)


def unit_table(unit: str, counts: dict[str, Counts], summary: dict[str, Any]) -> pd.DataFrame:
    """The table of subjects or activities; `unit` is the name of its first column."""
    names, labels, seeds = row_names(summary), summary["labels"], len(summary["seeds"])
    rows = []
    by_unit = scores(counts, len(labels), summary["kind"] == "expressions")
    for (name, own), values in zip(counts.items(), by_unit, strict=True):
        frames = np.stack([own.sum(axis=1), own[:, [TP, FN]].sum(axis=1)], axis=1) // seeds
        known = dict(zip(labels, frames.tolist(), strict=True))
        rows += [[name, row, value, *known.get(row, (None, None))] for row, value in zip(names, values, strict=True)]
    rows += [["all", row, *(summary["rows"][row][key] for key in ("f1", "frames", "positives"))] for row in names]
    table = pd.DataFrame(rows, columns=[unit, "label", "f1", "frames", "positives"])
    return table.astype({"f1": "float64", "frames": "Int64", "positives": "Int64"})


def _all(grid: MetricsGrid) -> Iterator[dict[str, Any]]:
    return (m for of_seed in grid.values() for m in of_seed.values())


def _add_up(parts: Iterator[tuple[Any, Counts]]) -> dict[str, Counts]:
    total: dict[str, Any] = {}
    for names, counts in parts:
        for name, own in zip(names, counts, strict=True):
            total[name] = total.get(name, 0) + own
    return {name: total[name] for name in sorted(total)}
