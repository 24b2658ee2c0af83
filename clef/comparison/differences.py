"""Differences between runs, with intervals from a paired bootstrap.

Each draw resamples the test subjects of every fold with replacement, the *same* subjects for all runs, and scores each
run on them as its summary does: per fold, mean over seeds, mean over folds. The interval contains the middle 95 % of
the differences. Subjects that are easy or hard for both runs cancel out, so the interval is narrower than two separate
intervals suggest. Like the summary's intervals, it is conditional on the trained models.

Images without named subjects are counted by true and predicted class only. It is not known which of them both runs
classify correctly, so each run is resampled separately, and the interval is wider than a paired one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clef.comparison.comparability import align
from clef.comparison.finished_run import FinishedRun
from clef.errors import ClefError
from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, stack_labels
from clef.evaluation.fold.metrics import Counts, Floats, mean_known, with_mean
from clef.evaluation.run.bootstrap import bootstrap_values, percentile_interval

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
    """Each common label, `mean`, and `accuracy` for expressions."""
    folds_won: int
    labels_won: int
    """Folds in which its headline is higher, and labels in which it is."""


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


def compare(runs: Sequence[FinishedRun], metric: str = "f1", resamples: int = 2000, seed: int = 0) -> Comparison:
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
    rows = [*labels, "mean", *(["accuracy"] if runs[0].summary["kind"] == "expressions" else [])]
    scores = [_fold_scores(run_units, metric, len(rows)) for run_units in units]  # each (folds, rows)
    drawn = _draws(units, metric, len(rows), resamples, seed)  # each (resamples, rows)
    others = []
    for run, own, values in zip(runs[1:], scores[1:], drawn[1:], strict=True):
        low, high = percentile_interval(values - drawn[0])
        columns = zip(rows, mean_known(scores[0], axis=0), mean_known(own, axis=0), low, high, strict=True)
        differences = {row: Difference(*map(float, numbers)) for row, *numbers in columns}
        folds_won = int((own[:, -1] > scores[0][:, -1]).sum())  # the headline is the last row
        labels_won = sum(differences[label].difference > 0 for label in labels)
        others.append(ComparedRun(run.name, differences, folds_won, labels_won))
    return Comparison(runs[0].name, metric, labels, rows[-1], resamples, others)


def _draws(units: list[list[list[BootstrapUnits]]], metric: str, rows: int, resamples: int, seed: int) -> list[Floats]:
    """The rows of each run under each draw, (resamples, rows); NaN without draws."""
    if not resamples:
        return [np.full((1, rows), np.nan) for _ in units]
    if not units[0][0][0].names:
        return [
            bootstrap_values(folds, lambda counts: _rows(counts, metric, rows), resamples, seed=seed + number)
            for number, folds in enumerate(units)
        ]
    # Put the counts of all runs and seeds side by side in each unit, so that all of them draw the same units.
    together = [[stack_labels([u for folds in units for u in folds[fold]])] for fold in range(len(units[0]))]
    ends = np.cumsum([len(folds[0]) for folds in units])[:-1]

    def statistic(counts: Floats) -> Floats:
        """(draws, runs and seeds x labels, 4) to (draws, runs x rows), each run's mean over its seeds."""
        trainings = counts.reshape(len(counts), -1, units[0][0][0].counts.shape[1], 4)
        by_run = np.split(_rows(trainings, metric, rows), ends, axis=1)
        return np.concatenate([mean_known(values, axis=1) for values in by_run], axis=1)

    return np.split(bootstrap_values(together, statistic, resamples, seed), len(units), axis=1)


def _fold_scores(folds: list[list[BootstrapUnits]], metric: str, rows: int) -> Floats:
    """The rows of a run in each fold, mean over seeds: (folds, rows)."""
    totals = [np.stack([units.total() for units in seeds]) for seeds in folds]
    return np.stack([mean_known(_rows(counts, metric, rows), axis=0) for counts in totals])


def _rows(counts: Counts, metric: str, rows: int) -> Floats:
    """Convert confusion counts (..., labels, 4) to the metric of each label, their mean, and accuracy if needed."""
    values = with_mean(METRICS[metric](counts))
    if rows == values.shape[-1]:
        return values
    return np.concatenate([values, metrics.accuracy(counts)[..., None]], axis=-1)
