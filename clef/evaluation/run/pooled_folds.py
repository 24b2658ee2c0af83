"""Metrics over all folds together, for folds of one subject whose own F1 is not worth averaging.

The confusion counts of all folds are summed before rates are computed. A subject that never shows a label then counts
by its false alarms, not as a fold with F1 0. `auc` and `ap` compare probabilities, which different models do not share,
so they remain means over folds. The calibration error takes each probability as it is, so it can be pooled. Columns
chosen on the test fold are not pooled: on one subject, such a choice could reach almost any value.
"""

from typing import Any

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.metrics import ACCURACIES, Floats, mean_known
from clef.evaluation.run.curves import calibration, threshold_counts

FROM_CONFUSIONS = ("f1_faces", "f1_tuned", "activity_only", "floor")
"""F1 columns with counts under `confusions` in every fold. For action units the floor follows from the base rate."""
AVERAGED = ("auc", "ap", "auc_description")


def pooled_rows(folds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Compute the summary rows of one seed from its `metrics.json` files: label to metrics, NaN if undefined."""
    labels = folds[0]["labels"]
    units = [BootstrapUnits.from_records(fold["resampled"], fold["counts"]) for fold in folds]
    strict = concatenate_units(units).total()
    rate = metrics.base_rate(strict)
    counts = {
        key: np.sum([fold["confusions"][key] for fold in folds], axis=0)
        for key in FROM_CONFUSIONS
        if all(fold["confusions"].get(key) is not None for fold in folds)
    }
    columns = {
        "f1": metrics.f1(strict),
        "precision": metrics.precision(strict),
        "recall": metrics.recall(strict),
        "base_rate": rate,
        "floor": metrics.always_positive_f1(rate),
        **{key: metrics.f1(summed) for key, summed in counts.items()},
    }
    if (by_threshold := threshold_counts(folds)) is not None:
        columns["calibration_error"] = calibration(by_threshold).error()
    rows = {label: {key: float(values[i]) for key, values in columns.items()} for i, label in enumerate(labels)}
    rows["mean"] = {key: float(mean_known(values)) for key, values in columns.items()}
    for name, score in ACCURACIES.items():
        if name in folds[0]["rows"]:
            rows[name] = {key: float(score(summed)) for key, summed in {"f1": strict, **counts}.items()}
    for name, row in rows.items():
        row["coverage"] = _mean_coverage(folds, name)
        row |= {key: float(mean_known(_values(folds, name, key))) for key in AVERAGED}
    return rows


def _values(folds: list[dict[str, Any]], name: str, key: str) -> Floats:
    return np.array([fold["rows"][name].get(key) for fold in folds], dtype=np.float64)


def _mean_coverage(folds: list[dict[str, Any]], name: str) -> float:
    """Mean over folds, weighted by their frames."""
    values, frames = _values(folds, name, "coverage"), _values(folds, name, "frames")
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=frames[known])) if frames[known].sum() else np.nan
