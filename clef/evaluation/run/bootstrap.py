"""Bootstrap intervals over test subjects and seeds.

Each draw samples the test subjects of every fold with replacement, sums their confusion counts, and computes F1 per
label. It also samples the seeds of the run with replacement, the same ones in all folds, and takes the mean over these
seeds and over the folds. All seeds of a fold use the same subjects, because their models were tested on the same
subjects. Frames of one subject are strongly dependent, so single frames are never drawn.

Of n subjects or seeds, n - 1 are drawn. With n of them, the variance between few subjects would be too small by a
factor of (n - 1) / n; for six subjects a sixth would be missing (Rao and Wu: Resampling Inference with Complex Survey
Data, JASA 1988).

The intervals are BCa: bias-corrected and accelerated (Efron, JASA 1987). F1 is a ratio of sums over few subjects, so it
is biased: a draw has fewer different subjects than the fold, and its F1 is lower on average (in one run 61.1 for an F1
of 61.8). Percentiles of the draws repeat this bias instead of removing it. BCa takes other percentiles, by how many
draws are below the point estimate, and by how much its standard error changes with its value, which a jackknife tells.
The ends are still values of draws, so they stay in the range of the score.

The interval shows how much the result depends on the choice of test subjects and, with several seeds, on the seeds.
Training sets and fold lists are fixed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, mean_known, ratio
from clef.runtime.progress import progress

BLOCK = 4_000_000  # maximum random numbers in memory at once
OUTSIDE = 0.025  # on each side of an interval
LARGEST_BIAS = 3.0  # standard deviations; bounds the correction if all draws are on one side of the point estimate


@dataclass(frozen=True)
class Estimate:
    """A statistic of a run, and how it varies with the test subjects and the seeds.

    The difference between two estimates is an estimate, too: what depends on the subjects in the same way cancels out.
    """

    point: Floats
    """(values,); NaN if undefined, as below."""
    draws: Floats
    """(resamples, values)."""
    influence: Mapping[str, Floats]
    """Each sample, such as the subjects of a fold, to (units, values): by how much a unit raises the point.

    It comes from a jackknife. Samples of equal names have the same units in the same order."""

    def __sub__(self, other: "Estimate") -> "Estimate":
        influence = {
            sample: self.influence.get(sample, np.zeros(1)) - other.influence.get(sample, np.zeros(1))
            for sample in {**self.influence, **other.influence}
        }
        return Estimate(self.point - other.point, self.draws - other.draws, influence)


def estimate(
    folds: Sequence[Sequence[BootstrapUnits]],
    seeds: Sequence[int],
    statistic: Callable[[Counts], Floats],
    resamples: int,
    stream: int = 0,
) -> Estimate:
    """Compute a statistic's mean over seeds and folds, as it is and in each draw.

    `folds` has, for each fold, its units under each seed, in the same order. `statistic` maps confusion counts
    (..., labels, 4) to values (..., values), NaN if undefined. Calls with the same `stream` draw the same units, and
    calls with the same seeds draw the same seeds.
    """
    points, draws, left_out = [], [], []
    with progress("fold resampled") as report:
        for number, units in enumerate(folds):
            totals = [each.total() for each in units]
            points.append(statistic(np.stack(totals)))
            draws.append(_draws(units, statistic, resamples, np.random.default_rng([stream, number])))
            # The images of a group are equal, so one of them is left out, and stands for all.
            by_seed = [
                np.repeat(statistic(total - each.counts), each.number, axis=0)
                for total, each in zip(totals, units, strict=True)
            ]
            left_out.append(mean_known(np.stack(by_seed), axis=0))
            report(number + 1, len(folds))
    point = np.stack(points)  # (folds, seeds, values)
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=tuple(seeds)))
    drawn_seeds = rng.integers(len(seeds), size=(1, max(1, len(seeds) - 1), resamples, 1))
    drawn = np.take_along_axis(np.stack(draws), drawn_seeds, axis=1)  # (folds, seeds, resamples, values)
    influence = {f"seeds {seeds}": _influence([_mean(np.delete(point, i, axis=1)) for i in range(len(seeds))])}
    for number, values in enumerate(left_out):
        by_fold = np.repeat(mean_known(point, axis=1)[None], len(values), axis=0)  # (units, folds, values)
        by_fold[:, number] = values
        influence[f"fold {number}, stream {stream}"] = _influence(mean_known(by_fold, axis=1))
    return Estimate(_mean(point), _mean(drawn), influence)


def interval(value: Estimate) -> tuple[Floats, Floats]:
    """Ends (values,) of the 95 % BCa interval; NaN without draws. Draws that are NaN are left out.

    If all draws are equal, both ends are that value.
    """
    influence = np.concatenate([*value.influence.values()])
    acceleration = ratio((influence**3).sum(axis=0), 6 * (influence**2).sum(axis=0) ** 1.5, undefined=0.0)
    ends = np.full((2, len(value.point)), np.nan)
    for column, drawn in enumerate(value.draws.T):
        known = drawn[~np.isnan(drawn)]
        if len(known):
            # Draws equal to the point count half; rounding ignores the last bits of the sums.
            below = np.heaviside(np.round(value.point[column] - known, 12), 0.5).mean()
            bias = np.clip(ndtri(below), -LARGEST_BIAS, LARGEST_BIAS)
            shifted = bias + ndtri([OUTSIDE, 1 - OUTSIDE])
            ends[:, column] = np.quantile(known, ndtr(bias + shifted / (1 - acceleration[column] * shifted)))
    return ends[0], ends[1]


def _mean(values: Floats) -> Floats:
    """Mean over seeds, then over folds, of values (folds, seeds, ...)."""
    return mean_known(mean_known(values, axis=1), axis=0)


def _influence(left_out: Sequence[Floats] | Floats) -> Floats:
    """Influences (units, values) from the values without each unit, as in a BCa interval of several samples."""
    values = np.asarray(left_out)
    units = len(values)
    return np.nan_to_num((units - 1) / units * (mean_known(values, axis=0) - values))


def _draws(
    units: Sequence[BootstrapUnits], statistic: Callable[[Counts], Floats], resamples: int, rng: np.random.Generator
) -> Floats:
    """The statistic of one fold under each seed and draw: (seeds, resamples, values)."""
    total = int(units[0].number.sum())
    picks, block = max(1, total - 1), max(1, BLOCK // total)
    values = []
    for start in range(0, max(resamples, 1), block):
        picked = rng.integers(total, size=(min(block, resamples - start), picks))
        values.append(np.stack([statistic(_summed(each, picked)) for each in units]))
    return np.concatenate(values, axis=1)


def _summed(units: BootstrapUnits, picked: NDArray[np.int64]) -> Floats:
    """Sum the counts of the picked units (draws, picks): (draws, labels, 4)."""
    draws, kinds = len(picked), len(units.number)
    unit = np.searchsorted(units.number.cumsum(), picked, side="right")
    unit += kinds * np.arange(draws)[:, None]
    times = np.bincount(unit.ravel(), minlength=draws * kinds).reshape(draws, kinds)
    summed = times.astype(np.float64) @ units.counts.reshape(kinds, -1).astype(np.float64)
    return summed.reshape(draws, *units.counts.shape[1:])
