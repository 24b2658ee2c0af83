"""Bootstrap intervals, conditional on the trained models.

Each draw samples the test subjects of every fold with replacement, sums their confusion counts, and computes F1 per
label and the mean over folds. The interval consists of percentiles of the draws. All seeds of a fold use the same
draws, because their models were tested on the same subjects. Frames of one subject are strongly dependent, so single
frames are never drawn.

The interval shows how much the result depends on the choice of test subjects. It does not include the spread over
seeds, training sets or fold lists; the summary reports that separately.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Floats, mean_known
from clef.runtime.progress import progress

BLOCK = 4_000_000  # maximum random numbers in memory at once


def bootstrap_values(
    folds: list[list[BootstrapUnits]], statistic: Callable[[Floats], Floats], resamples: int, seed: int = 0
) -> Floats:
    """Compute a statistic's mean over folds and seeds in each draw: (resamples, values).

    `folds` has, for each fold, its units under each seed, in the same order. `statistic` maps confusion counts
    (..., labels, 4) to values (..., values), NaN if undefined.
    """
    per_fold = []
    with progress("fold resampled") as report:
        for number, seeds in enumerate(folds):
            rng = np.random.default_rng([seed, number])
            total = int(seeds[0].number.sum())
            block = max(1, BLOCK // total)
            values = []  # each (seeds, draws, values)
            for start in range(0, max(resamples, 1), block):
                picked = rng.integers(total, size=(min(block, resamples - start), total))
                values.append(np.stack([statistic(_summed(units, picked)) for units in seeds]))
            per_fold.append(mean_known(np.concatenate(values, axis=1), axis=0))
            report(number + 1, len(folds))
    return mean_known(np.stack(per_fold), axis=0)


def percentile_interval(values: Floats) -> tuple[Floats, Floats]:
    """Ends (values,) that enclose 95 % of the draws (resamples, values); NaN if no draw has a value."""
    outside = (1 - 0.95) / 2
    ends = np.full((2, values.shape[1]), np.nan)
    for column, drawn in enumerate(values.T):
        known = drawn[~np.isnan(drawn)]
        if len(known):
            ends[:, column] = np.quantile(known, [outside, 1 - outside])
    return ends[0], ends[1]


def _summed(units: BootstrapUnits, picked: NDArray[np.int64]) -> Floats:
    """Sum the counts of the picked units (draws, picks): (draws, labels, 4)."""
    draws, kinds = len(picked), len(units.number)
    unit = np.searchsorted(units.number.cumsum(), picked, side="right")
    unit += kinds * np.arange(draws)[:, None]
    times = np.bincount(unit.ravel(), minlength=draws * kinds).reshape(draws, kinds)
    summed = times.astype(np.float64) @ units.counts.reshape(kinds, -1).astype(np.float64)
    return summed.reshape(draws, *units.counts.shape[1:])
