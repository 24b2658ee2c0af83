"""Metrics of all folds together, where one fold holds one subject and has no F1 worth averaging.

The confusion counts of all folds are added up first, and rates taken from the sums: a subject who never shows a label
then counts by its false alarms, and not as a fold whose F1 is 0. `auc` and `ap` compare probabilities, which different
models do not share, so they stay means over the folds that have them. What is chosen on the test fold is not pooled:
on one subject there is hardly anything that choosing could not reach.
"""

from typing import Any

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, mean_known

FROM_COUNTS = ("f1_faces", "f1_tuned", "activity_only", "floor")
"""Each an F1 whose counts every fold has under `confusions`; the floor of action units follows from the rates."""
STILL_AVERAGED = ("auc", "ap")


def pooled_rows(folds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The rows of a summary from all folds of one seed: label, `mean` or `accuracy` to metrics, NaN where undefined.

    Args:
        folds: What `score_fold` returned for each.
    """
    labels = folds[0]["labels"]
    strict = np.sum([_counts_of_units(fold["counts"]) for fold in folds], axis=0)  # (labels, 4)
    rate = metrics.base_rate(strict)
    columns = {
        "f1": metrics.f1(strict),
        "precision": metrics.precision(strict),
        "recall": metrics.recall(strict),
        "base_rate": rate,
        "floor": metrics.always_positive_f1(rate),
    }
    sums = {key: _sum([fold["confusions"].get(key) for fold in folds]) for key in FROM_COUNTS}
    known = {key: counts for key, counts in sums.items() if counts is not None}
    columns |= {key: metrics.f1(counts) for key, counts in known.items()}
    rows = {label: {key: float(values[i]) for key, values in columns.items()} for i, label in enumerate(labels)}
    rows["mean"] = {key: float(mean_known(values)) for key, values in columns.items()}
    if "accuracy" in folds[0]["rows"]:
        rows["accuracy"] = {key: float(metrics.accuracy(counts)) for key, counts in {"f1": strict, **known}.items()}
    for name, row in rows.items():
        row["coverage"] = _weighted(folds, name, "coverage")
        row |= {key: float(mean_known(_values(folds, name, key))) for key in STILL_AVERAGED}
    return rows


def _counts_of_units(units: list[dict[str, Any]]) -> Counts:
    """(labels, 4) of all units of a fold."""
    read = BootstrapUnits.from_records("subjects", units)
    return np.tensordot(read.number, read.counts, 1)


def _sum(counts: list[Any]) -> Counts | None:
    """Sum of what every fold has; None where one has nothing."""
    return None if any(one is None for one in counts) else np.sum(counts, axis=0)


def _values(folds: list[dict[str, Any]], name: str, key: str) -> Floats:
    return np.array([fold["rows"][name].get(key) for fold in folds], dtype=np.float64)


def _weighted(folds: list[dict[str, Any]], name: str, key: str) -> float:
    """Mean over folds by their frames."""
    values, frames = _values(folds, name, key), _values(folds, name, "frames")
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=frames[known])) if frames[known].sum() else np.nan
