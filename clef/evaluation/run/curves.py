"""Precision, recall and calibration of a run at many thresholds, from the counts in the metrics of its folds.

Counts are added up over folds and seeds. So the curves show the predictions of all trainings together, while `auc` and
`ap` of the summary are means over folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clef.evaluation.fold.metrics import CALIBRATION_BINS, Counts, Floats, ratio


@dataclass(frozen=True)
class ThresholdCounts:
    """Frames that reach each threshold, by their truth."""

    thresholds: Floats
    """(thresholds,), ascending from 0."""
    tp: Counts
    fp: Counts
    """(labels, thresholds)."""
    positives: Counts
    frames: Counts
    """(labels,): known frames that show the label, and all known frames, with and without a crop."""


def threshold_counts(fold_metrics: Sequence[dict[str, Any]]) -> ThresholdCounts:
    """Add up the counts of folds and seeds."""
    rows = [[metrics["rows"][label] for label in metrics["labels"]] for metrics in fold_metrics]
    return ThresholdCounts(
        np.array(fold_metrics[0]["by_threshold"]["thresholds"]),
        *(np.sum([metrics["by_threshold"][key] for metrics in fold_metrics], axis=0) for key in ("tp", "fp")),
        *(np.sum([[row[key] for row in of_fold] for of_fold in rows], axis=0) for key in ("positives", "frames")),
    )


def precision_recall(counts: ThresholdCounts) -> tuple[Floats, Floats]:
    """Precision and recall (labels, thresholds); NaN if nothing is predicted, or nothing is there to be found."""
    positives = np.broadcast_to(counts.positives[:, None], counts.tp.shape)
    return ratio(counts.tp, counts.tp + counts.fp), ratio(counts.tp, positives)


@dataclass(frozen=True)
class Calibration:
    """How often a label is present among frames to which the model gives a probability. NaN in empty bins."""

    predicted: Floats
    """(labels, bins): mean probability, exact to half the distance of two thresholds."""
    observed: Floats
    """(labels, bins): share of frames that show the label."""
    frames: Counts
    """(labels, bins): frames with a crop; the others have no probability."""

    def error(self) -> Floats:
        """Expected calibration error (labels,): mean distance of both shares, weighted by frames."""
        distance = np.nan_to_num(np.abs(self.observed - self.predicted))
        return ratio((self.frames * distance).sum(axis=1), self.frames.sum(axis=1))


def calibration(counts: ThresholdCounts) -> Calibration:
    """Sort the frames into bins of probability."""
    edges = np.append(counts.thresholds, 1.0)
    centres = (edges[:-1] + edges[1:]) / 2
    present, absent = (-np.diff(cells, axis=1, append=0) for cells in (counts.tp, counts.fp))  # between two thresholds
    frames = present + absent
    starts = np.searchsorted(counts.thresholds, np.arange(CALIBRATION_BINS) / CALIBRATION_BINS - 1e-9)

    def add_up(values: Counts | Floats) -> Floats:
        return np.add.reduceat(values, starts, axis=1)

    number = add_up(frames)
    return Calibration(ratio(add_up(frames * centres), number), ratio(add_up(present), number), number)
