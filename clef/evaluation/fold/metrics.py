"""Metrics as pure functions of arrays, with unknown labels masked.

`truth` is a float array (frames, labels): 1 present, 0 absent, NaN unknown. `probability` has the same shape; NaN marks
a frame without a crop, which counts as predicted absent at every threshold. Expressions use the same functions on
one-hot rows. The last axis of confusion counts is (tp, fp, fn, tn), so counts can be summed over subjects or frames
before a rate is computed.

Conventions: a label that neither occurs nor is predicted has F1 0, like scikit-learn's `zero_division=0` and published
evaluation code. A label without any known frame has F1 NaN and is left out of means.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

TP, FP, FN, TN = range(4)

CALIBRATION_BINS = 10
"""Bins of probability, of equal width."""

Floats = NDArray[np.floating]
Counts = NDArray[np.integer] | NDArray[np.floating]


def confusion_counts(truth: Floats, probability: Floats, thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Count tp, fp, fn and tn of each label at each threshold, as (thresholds, labels, 4).

    A label is predicted where probability >= threshold. Thresholds must ascend.
    """
    steps = len(thresholds)
    reached = np.searchsorted(thresholds, probability.astype(np.float64), side="right")  # (frames, labels)
    reached[np.isnan(probability)] = 0
    counts = np.empty((steps, truth.shape[1], 4), dtype=np.int64)
    for label in range(truth.shape[1]):
        for value, predicted, missed in ((1, TP, FN), (0, FP, TN)):
            frames = np.bincount(reached[truth[:, label] == value, label], minlength=steps + 1)
            counts[:, label, predicted] = frames[::-1].cumsum()[::-1][1:]
            counts[:, label, missed] = frames.sum() - counts[:, label, predicted]
    return counts


def counts_by_name(names: NDArray, truth: Floats, probability: Floats, threshold: float) -> dict[str, Counts]:
    """Each subject or activity to the counts (labels, 4) of its frames, by name; None is left out."""
    known = sorted({name for name in names if name is not None})
    return {name: confusion_counts(truth[names == name], probability[names == name], [threshold])[0] for name in known}


def f1(counts: Counts) -> Floats:
    """2 tp / (2 tp + fp + fn), shape counts.shape[:-1]; see the module docstring for 0 and NaN."""
    doubled = 2 * counts[..., TP]
    return _known_only(counts, ratio(doubled, doubled + counts[..., FP] + counts[..., FN], undefined=0.0))


def precision(counts: Counts) -> Floats:
    """Tp / (tp + fp); 0 for a label that is never predicted."""
    return _known_only(counts, ratio(counts[..., TP], counts[..., TP] + counts[..., FP], undefined=0.0))


def recall(counts: Counts) -> Floats:
    """Tp / (tp + fn); NaN for a label that never occurs."""
    return ratio(counts[..., TP], counts[..., TP] + counts[..., FN])


def accuracy(counts: Counts) -> Floats:
    """Share of frames with the right class, from the one-hot counts of all classes."""
    right = counts[..., TP].sum(axis=-1)
    return ratio(right, right + counts[..., FN].sum(axis=-1))


def mean_class_accuracy(counts: Counts) -> Floats:
    """Mean recall of the classes that occur, also called balanced accuracy or unweighted average recall."""
    return mean_known(recall(counts))


ACCURACIES = {"mean_class_accuracy": mean_class_accuracy, "accuracy": accuracy}
"""Scores of all classes together. Their rows come last in every table of expressions."""


def base_rate(counts: Counts) -> Floats:
    """Share of known frames that show the label."""
    return ratio(counts[..., TP] + counts[..., FN], counts.sum(axis=-1))


def always_positive_f1(rate: Floats) -> Floats:
    """F1 of predicting the label in every frame: 2 p / (1 + p)."""
    return 2 * rate / (1 + rate)


def coverage(truth: Floats, probability: Floats) -> Floats:
    """Share of each label's known frames that have a crop."""
    known = ~np.isnan(truth)
    return ratio((known & ~np.isnan(probability)).sum(axis=0), known.sum(axis=0))


def auc(truth: Floats, probability: Floats) -> Floats:
    """Area under the ROC curve of each label; NaN if all known frames have the same value.

    Frames without a crop have probability 0.
    """
    return _ranked(roc_auc_score, truth, probability)


def average_precision(truth: Floats, probability: Floats) -> Floats:
    """Average precision of each label, with the conventions of `auc`."""
    return _ranked(average_precision_score, truth, probability)


def calibration_error(truth: Floats, probability: Floats) -> Floats:
    """Expected calibration error of each label: by bin, how far the mean probability is from the share of positives.

    The mean over bins is weighted by frames (Naeini et al., AAAI 2015). Only frames with a crop have a probability; NaN
    without any. An average over few frames is above 0 even for a calibrated model.
    """
    known = ~np.isnan(truth) & ~np.isnan(probability)
    bin_of = np.digitize(probability.astype(np.float64), np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS)
    excess = np.where(known, probability - truth, 0.0)
    distances = [np.abs(np.where(bin_of == i, excess, 0.0).sum(axis=0)) for i in range(CALIBRATION_BINS)]
    return ratio(np.sum(distances, axis=0), known.sum(axis=0))


def within_activity_f1(truth: Floats, probability: Floats, activity: NDArray, threshold: float) -> Floats:
    """Mean of each label's F1 within single activities, over the activities in which the label occurs.

    Knowing the activity does not help here. All activities weigh the same. Frames without an activity are left out. A
    label that occurs in no activity has NaN.
    """
    by_activity = counts_by_name(activity, truth, probability, threshold)
    return mean_known(f1_where_shown(np.array([*by_activity.values()]).reshape(-1, truth.shape[1], 4)), axis=0)


def f1_where_shown(counts: Counts) -> Floats:
    """F1, or NaN for a label that never occurs, because it would be 0 however good the model is."""
    return np.where(counts[..., TP] + counts[..., FN] > 0, f1(counts), np.nan)


def with_mean(values: Floats) -> Floats:
    """Append the mean over labels to values (..., labels)."""
    return np.concatenate([values, mean_known(values)[..., None]], axis=-1)


def with_totals(values: Floats, counts: Counts, expressions: bool) -> Floats:
    """Append the mean over labels to values (..., labels), and for expressions the accuracies from their counts."""
    totals = [function(counts)[..., None] for function in ACCURACIES.values()] if expressions else []
    return np.concatenate([with_mean(values), *totals], axis=-1)


def any_known(values: Floats) -> NDArray[np.bool_]:
    """Mark the frames of (frames, labels) with a value for at least one label."""
    return np.any(~np.isnan(values), axis=1)


def mean_known(values: Floats, axis: int = -1) -> Floats:
    """Mean of the values that are not NaN; NaN if all are."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))


def ratio(part: NDArray, whole: NDArray, undefined: float = np.nan) -> Floats:
    """Divide; `undefined` where the whole is 0."""
    filled = np.full(np.shape(whole), undefined, dtype=np.float64)
    return np.divide(part, whole, out=filled, where=np.asarray(whole) > 0)


def _ranked(score: Callable[[NDArray, NDArray], float], truth: Floats, probability: Floats) -> Floats:
    values = np.full(truth.shape[1], np.nan)
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        present = truth[known, label]
        if len(np.unique(present)) == 2:
            values[label] = score(present, np.nan_to_num(probability[known, label], nan=0.0))
    return values


def _known_only(counts: Counts, values: Floats) -> Floats:
    return np.where(counts.sum(axis=-1) > 0, values, np.nan)
