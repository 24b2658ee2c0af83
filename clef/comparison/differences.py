"""Differences between runs, with intervals from a paired bootstrap.

Each draw resamples the test subjects of every fold with replacement, the *same* subjects for all runs, and scores each
run on them as its summary does: per fold, mean over seeds, mean over folds. It resamples the seeds as well, the *same*
ones for runs with the same list of seeds, and separately otherwise. The interval is a 95 % BCa interval of the
differences (see `clef.evaluation.run.bootstrap`). Subjects that are easy or hard for both runs cancel out, so it is
narrower than two separate intervals suggest.

Images without named subjects are counted by true and predicted class only. It is not known which of them both runs
classify correctly, so each run is resampled separately, and the interval is wider than a paired one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from clef.comparison.comparability import align
from clef.comparison.finished_run import FinishedRun
from clef.errors import ClefError
from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, mean_known
from clef.evaluation.run.bootstrap import estimate, interval

METRICS = {"f1": metrics.f1, "precision": metrics.precision, "recall": metrics.recall}
"""Metrics that follow from the confusion counts of each subject. Areas under curves do not."""


@dataclass(frozen=True)
class Difference:
    """The difference in one label, or in the mean. Values are between 0 and 1, NaN if undefined."""

    first: float
    other: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """The other run minus the first."""
        return self.other - self.first

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ComparedRun:
    """One run compared with the first."""

    run: str
    rows: dict[str, Difference]
    """Each common label, `mean`, and the accuracies for expressions."""
    labels_won: int
    """Labels in which its F1 is higher."""
    folds: tuple[float, ...]
    """The difference of the headline in each fold, from means over seeds."""
    seeds: dict[int, float]
    """The difference of the headline under each seed that both runs have."""

    @property
    def folds_won(self) -> int:
        """Folds in which its headline is higher."""
        return folds_won(self.folds)


def folds_won(differences: Sequence[float]) -> int:
    """Count the folds with a positive difference."""
    return sum(difference > 0 for difference in differences)


def t_interval(differences: Sequence[float]) -> tuple[float, float]:
    """95 % t interval of the mean of differences over folds; NaN for fewer than two known ones.

    Every fold has trainings of its own, so unlike the bootstrap it includes their noise. It is approximate, since folds
    share training subjects.
    """
    known = np.array([difference for difference in differences if not np.isnan(difference)])
    if len(known) < 2:
        return np.nan, np.nan
    half = stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean() - half), float(known.mean() + half)


@dataclass(frozen=True)
class Comparison:
    """Several runs compared with the first."""

    first: str
    metric: str
    labels: list[str]
    headline: str
    """The row that a run is judged by: `mean`, or `accuracy` for expressions."""
    resamples: int
    others: list[ComparedRun]


def compare(runs: Sequence[FinishedRun], metric: str = "f1", resamples: int = 2000) -> Comparison:
    """Compare two or more runs with the first of them; without intervals if `resamples` is 0.

    Raises:
        ClefError: The runs were tested on different data, or the metric is unknown.
    """
    if metric not in METRICS:
        raise ClefError(
            f"--metric: {metric} has no interval, because it does not follow from the counts per subject that the "
            f"results contain; expected one of {', '.join(METRICS)}"
        )
    labels, units = align(runs)
    expressions = runs[0].summary["kind"] == "expressions"
    rows = [*labels, "mean", *(metrics.ACCURACIES if expressions else ())]

    def statistic(counts: Counts) -> Floats:
        return metrics.with_totals(METRICS[metric](counts), counts, expressions)

    paired = bool(units[0][0][0].names)
    estimates = [
        estimate(of_run, list(run.grid), statistic, resamples, stream=0 if paired else number)
        for number, (run, of_run) in enumerate(zip(runs, units, strict=True))
    ]
    headlines = [_headlines(of_run, statistic) for of_run in units]  # each (folds, seeds)
    by_seed = [
        dict(zip(run.grid, mean_known(values, axis=0).tolist(), strict=True))
        for run, values in zip(runs, headlines, strict=True)
    ]
    others = []
    for run, own, values, of_seeds in zip(runs[1:], estimates[1:], headlines[1:], by_seed[1:], strict=True):
        columns = zip(rows, estimates[0].point, own.point, *interval(own - estimates[0]), strict=True)
        differences = {row: Difference(*map(float, numbers)) for row, *numbers in columns}
        folds = tuple((mean_known(values, axis=1) - mean_known(headlines[0], axis=1)).tolist())
        labels_won = sum(differences[label].difference > 0 for label in labels)
        seeds = {seed: value - by_seed[0][seed] for seed, value in of_seeds.items() if seed in by_seed[0]}
        others.append(ComparedRun(run.name, differences, labels_won, folds, seeds))
    return Comparison(runs[0].name, metric, labels, rows[-1], resamples, others)


def _headlines(folds: list[list[BootstrapUnits]], statistic: Callable[[Counts], Floats]) -> Floats:
    """The headline, which is the last row, of each fold and seed: (folds, seeds)."""
    return np.stack([statistic(np.stack([units.total() for units in seeds]))[:, -1] for seeds in folds])
