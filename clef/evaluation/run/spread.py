"""How a run's scores spread over folds, seeds and test subjects."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import FN, TP, Floats, mean_known, with_mean
from clef.evaluation.run.fold_metrics import MetricsGrid
from clef.evaluation.run.pooled_folds import pooled_rows


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
    """Collect the scores of a run. `names` are its labels, `mean`, and for expressions `accuracy`.

    The counts of a subject are added up over seeds. A label that a subject never shows has no score there, because F1
    would be 0 however good the model is; the mean of a subject is over the other labels.
    """
    folds = [list(of_seed.values()) for of_seed in grid.values()]
    by_fold = np.array([[_f1(m["rows"], names) for m in of_seed] for of_seed in folds])  # (seeds, folds, rows)
    by_seed = np.array([_f1(pooled_rows(of_seed), names) for of_seed in folds]) if pooled else mean_known(by_fold, 1)
    units = [BootstrapUnits.from_records(m["resampled"], m["counts"]) for of_seed in folds for m in of_seed]
    by_name: dict[str, Any] = {}
    for each in units:
        for name, counts in zip(each.names, each.counts, strict=False):  # images have no names
            by_name[name] = by_name.get(name, 0) + counts
    counts = np.array([by_name[name] for name in sorted(by_name)]).reshape(-1, *units[0].counts.shape[1:])
    f1 = np.where(counts[..., TP] + counts[..., FN] > 0, metrics.f1(counts), np.nan)
    columns = [with_mean(f1), *([metrics.accuracy(counts)[:, None]] if "accuracy" in names else [])]
    by_fold = mean_known(by_fold, 0)[: 0 if pooled else None]
    return Spread(names, by_fold, by_seed, np.concatenate(columns, axis=1), sorted(by_name))


def _f1(rows: dict[str, dict[str, float]], names: list[str]) -> list[float]:
    return [np.nan if rows[name]["f1"] is None else rows[name]["f1"] for name in names]
