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


def f1(counts: Counts) -> Floats:
    """2 tp / (2 tp + fp + fn), shape counts.shape[:-1]; see the module docstring for 0 and NaN."""
    doubled = 2 * counts[..., TP]
    return _known_only(counts, ratio(doubled, doubled + counts[..., FP] + counts[..., FN], undefined=0.0))


def precision(counts: Counts) -> Floats:
    """Tp / (tp + fp); 0 for a label that is never predicted."""
    return _known_only(counts, ratio(counts[..., TP], counts[..., TP] + counts[..., FP], undefined=0.0))


def recall(counts: Counts) -> Floats:
    """Tp / (tp + fn); NaN for a label that never occurs. Its mean over classes is the mean class accuracy."""
    return ratio(counts[..., TP], counts[..., TP] + counts[..., FN])


def accuracy(counts: Counts) -> Floats:
    """Share of frames with the right class, from the one-hot counts of all classes."""
    right = counts[..., TP].sum(axis=-1)
    return ratio(right, right + counts[..., FN].sum(axis=-1))


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


def within_activity_f1(truth: Floats, probability: Floats, activity: NDArray, threshold: float) -> Floats:
    """Mean of each label's F1 within single activities, over the activities in which the label occurs.

    Knowing the activity does not help here. All activities weigh the same. Frames without an activity are left out. A
    label that occurs in no activity has NaN.
    """
    per_activity = []
    for name in sorted({name for name in activity if name is not None}):
        rows = activity == name
        counts = confusion_counts(truth[rows], probability[rows], [threshold])[0]
        per_activity.append(np.where(counts[:, TP] + counts[:, FN] > 0, f1(counts), np.nan))
    return mean_known(np.array(per_activity).reshape(-1, truth.shape[1]), axis=0)


def with_mean(values: Floats) -> Floats:
    """Append the mean over labels to values (..., labels)."""
    return np.concatenate([values, mean_known(values)[..., None]], axis=-1)


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
