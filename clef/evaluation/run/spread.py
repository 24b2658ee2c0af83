"""How a run's scores spread over folds, seeds and test subjects."""

from dataclasses import dataclass

import numpy as np

from clef.evaluation.fold.metrics import Floats, mean_known
from clef.evaluation.run.fold_metrics import MetricsGrid
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.unit_scores import scores, subject_counts


@dataclass(frozen=True)
class Spread:
    """Scores of the rows `names`, between 0 and 1, NaN if undefined."""

    names: list[str]
    folds: Floats
    """(folds, rows), each the mean over seeds; (0, rows) if folds are pooled."""
    seeds: Floats
    """(seeds, rows), each the mean over folds, or from the pooled counts of all folds."""
    units: Floats
    """(subjects or sequences, rows); (0, rows) for images."""
    unit_names: list[str]


def spread(grid: MetricsGrid, names: list[str], pooled: bool) -> Spread:
    """Collect the scores of a run. `names` are its labels, `mean`, and for expressions the accuracies.

    The counts of a subject are added up over seeds. A label that a subject never shows has no score there, because F1
    would be 0 however good the model is; the mean of a subject is over the other labels.
    """
    folds = [list(of_seed.values()) for of_seed in grid.values()]
    by_fold = np.array([[_f1(m["rows"], names) for m in of_seed] for of_seed in folds])  # (seeds, folds, rows)
    by_seed = np.array([_f1(pooled_rows(of_seed), names) for of_seed in folds]) if pooled else mean_known(by_fold, 1)
    first, counts = folds[0][0], subject_counts(grid)
    by_fold = mean_known(by_fold, 0)[: 0 if pooled else None]
    by_unit = scores(counts, len(first["labels"]), first["kind"] == "expressions")
    return Spread(names, by_fold, by_seed, by_unit, list(counts))


def _f1(rows: dict[str, dict[str, float]], names: list[str]) -> list[float]:
    return [np.nan if rows[name]["f1"] is None else rows[name]["f1"] for name in names]
