"""Differences between runs, with intervals from a paired bootstrap.

Both runs of a pair were tested on the same people. In each draw the test subjects of every fold are drawn anew with
replacement, the *same* ones for all runs, and each run is scored on them as its summary is: per fold, mean over seeds,
mean over folds. The interval holds the middle of the differences. What a hard or an easy subject does to both runs
alike cancels, so it is narrower than two separate intervals suggest.

Like the summary's, it is conditional on the trained models: it says how far the difference depends on who was tested,
and nothing of what other training seeds would have given.

Images of unnamed people are counted by true and predicted class only. Which of them both runs get right is not known,
so runs are then drawn apart from each other, and the interval is wider than a paired one would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clef.comparison.finished import FinishedRun
from clef.comparison.pairing import common_labels, require_same_frames, units_of
from clef.errors import ClefError
from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import Counts, Floats, mean_known
from clef.evaluation.run.bootstrap import bootstrap_values, percentile_interval

METRICS = {"f1": metrics.f1, "precision": metrics.precision, "recall": metrics.recall}
"""What follows from the confusion counts of each subject. Areas under curves do not."""


@dataclass(frozen=True)
class Difference:
    """One label, or the mean: shares between 0 and 1, NaN where undefined."""

    first: float
    other: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """The other run less the first."""
        return self.other - self.first

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of no difference."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class AgainstFirst:
    """One run against the first."""

    run: str
    rows: dict[str, Difference]
    """Each common label, `mean`, and for expressions `accuracy`."""
    folds_won: int
    """Folds in which its headline is higher."""
    labels_won: int
    """Labels that are higher."""


@dataclass(frozen=True)
class Comparison:
    """Several runs against the first."""

    first: str
    metric: str
    labels: list[str]
    headline: str
    """The row that a run is judged by: `mean`, or `accuracy` for expressions."""
    folds: int
    resampled: str
    """`subjects`, `sequences` or `images`."""
    resamples: int
    left_out: dict[str, list[str]]
    """Run to its labels that not all have; runs without such labels are not in it."""
    others: list[AgainstFirst]

    @property
    def paired(self) -> bool:
        """Whether the runs share their draws."""
        return self.resampled != "images"


def compare(runs: Sequence[FinishedRun], metric: str = "f1", resamples: int = 2000, seed: int = 0) -> Comparison:
    """Compare runs with the first of them.

    Args:
        runs: Two or more.
        metric: One of `METRICS`.
        resamples: Draws of the bootstrap; 0 for no intervals.
        seed: Of the draws.

    Raises:
        ClefError: Runs that were not tested alike (see `clef.comparison.pairing`), or another metric.
    """
    if metric not in METRICS:
        raise ClefError(
            f"--metric: {metric} does not follow from the counts per subject that the results hold, so it has no "
            f"interval; expected one of {', '.join(METRICS)}"
        )
    labels = common_labels(runs)
    for run in runs[1:]:
        require_same_frames(runs[0], run, labels)
    rows = [*labels, "mean", *(["accuracy"] if runs[0].summary["kind"] == "expressions" else [])]
    units = [units_of(run, labels) for run in runs]
    scores = [_fold_scores(of_run, metric, len(rows)) for of_run in units]  # each (folds, rows)
    drawn = _draws(units, metric, len(rows), resamples, seed)  # each (resamples, rows)
    headline = rows[-1]
    others = []
    for run, own, values in zip(runs[1:], scores[1:], drawn[1:], strict=True):
        low, high = percentile_interval(values - drawn[0])
        pairs = zip(rows, mean_known(scores[0], axis=0), mean_known(own, axis=0), low, high, strict=True)
        differences = {row: Difference(*map(float, numbers)) for row, *numbers in pairs}
        higher = own[:, rows.index(headline)] > scores[0][:, rows.index(headline)]
        won = sum(differences[label].difference > 0 for label in labels)
        others.append(AgainstFirst(run.name, differences, int(higher.sum()), won))
    missing = {run.name: [label for label in run.labels if label not in labels] for run in runs}
    return Comparison(
        first=runs[0].name,
        metric=metric,
        labels=labels,
        headline=headline,
        folds=len(runs[0].folds),
        resampled=runs[0].summary["resampled"],
        resamples=resamples,
        left_out={run: names for run, names in missing.items() if names},
        others=others,
    )


def _draws(units: list[list[list[BootstrapUnits]]], metric: str, rows: int, resamples: int, seed: int) -> list[Floats]:
    """The rows of each run under each draw, (resamples, rows); NaN without draws."""
    if not resamples:
        return [np.full((1, rows), np.nan) for _ in units]
    if not units[0][0][0].names:
        return [
            bootstrap_values(of_run, lambda counts: _rows(counts, metric, rows), resamples, seed=seed + number)
            for number, of_run in enumerate(units)
        ]
    # Counts of all runs and seeds side by side in one unit: whoever is drawn is drawn for all of them.
    together = [[_side_by_side([one for of_run in units for one in of_run[fold]])] for fold in range(len(units[0]))]
    ends = np.cumsum([len(of_run[0]) for of_run in units])[:-1]

    def statistic(counts: Floats) -> Floats:
        """(draws, runs and seeds x labels, 4) to (draws, runs x rows), each run's mean over its seeds."""
        trainings = counts.reshape(len(counts), -1, units[0][0][0].counts.shape[1], 4)
        of_runs = np.split(_rows(trainings, metric, rows), ends, axis=1)
        return np.concatenate([mean_known(values, axis=1) for values in of_runs], axis=1)

    return np.split(bootstrap_values(together, statistic, resamples, seed), len(units), axis=1)


def _side_by_side(trainings: list[BootstrapUnits]) -> BootstrapUnits:
    first = trainings[0]
    return BootstrapUnits(
        first.kind, first.names, first.number, np.concatenate([units.counts for units in trainings], axis=1)
    )


def _fold_scores(folds: list[list[BootstrapUnits]], metric: str, rows: int) -> Floats:
    """The rows of a run in each fold, mean over seeds: (folds, rows)."""
    totals = [np.stack([np.tensordot(units.number, units.counts, 1) for units in seeds]) for seeds in folds]
    return np.stack([mean_known(_rows(counts, metric, rows), axis=0) for counts in totals])


def _rows(counts: Counts, metric: str, rows: int) -> Floats:
    """Confusion counts (..., labels, 4) to the metric of each label, their mean, and accuracy if there is one more."""
    values = METRICS[metric](counts)
    parts = [values, mean_known(values)[..., None]]
    if rows > values.shape[-1] + 1:
        parts.append(metrics.accuracy(counts)[..., None])
    return np.concatenate(parts, axis=-1)
