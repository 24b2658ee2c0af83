"""Metrics as pure functions of arrays, with unknown labels masked.

`truth` is float of shape (frames, labels): 1 present, 0 absent, NaN unknown. `probability` has the same
shape; NaN marks a frame without a crop, which counts as "absent" whatever the threshold. Expressions use the
same functions on one-hot rows. Counts are arrays whose last axis is (tp, fp, fn, tn), so that they can be
added up over subjects or frames before a rate is taken.

Conventions: the F1 of a label that neither occurs nor is predicted is 0, as scikit-learn's `zero_division=0`
and the field's code have it; a label without one known frame has no F1 (NaN) and stays out of means.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

TP, FP, FN, TN = range(4)

Floats = NDArray[np.floating]
Counts = NDArray[np.integer] | NDArray[np.floating]


def count(truth: Floats, probability: Floats, thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Confusion counts of each label at each threshold; a label is predicted where probability >= threshold.

    Args:
        truth: (frames, labels), see the module.
        probability: (frames, labels), see the module.
        thresholds: Ascending.

    Returns:
        (thresholds, labels, 4).
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
    """2 tp / (2 tp + fp + fn), of shape counts.shape[:-1]; 0 and NaN as the module says."""
    doubled = 2 * counts[..., TP]
    return _known_only(counts, _ratio(doubled, doubled + counts[..., FP] + counts[..., FN], undefined=0.0))


def precision(counts: Counts) -> Floats:
    """Share of predicted frames that are right, tp / (tp + fp); 0 for a label that is never predicted."""
    return _known_only(counts, _ratio(counts[..., TP], counts[..., TP] + counts[..., FP], undefined=0.0))


def recall(counts: Counts) -> Floats:
    """Share of present frames that are found, tp / (tp + fn); NaN for a label that never occurs.

    Its mean over classes is the mean class accuracy.
    """
    return _ratio(counts[..., TP], counts[..., TP] + counts[..., FN])


def accuracy(counts: Counts) -> Floats:
    """Share of frames whose class is right, from the one-hot counts of all classes."""
    right = counts[..., TP].sum(axis=-1)
    return _ratio(right, right + counts[..., FN].sum(axis=-1))


def base_rate(counts: Counts) -> Floats:
    """Share of known frames in which the label is present."""
    return _ratio(counts[..., TP] + counts[..., FN], counts.sum(axis=-1))


def always_positive_f1(rate: Floats) -> Floats:
    """F1 of predicting the label in every frame, 2 p / (1 + p): the floor under any F1."""
    return 2 * rate / (1 + rate)


def coverage(truth: Floats, probability: Floats) -> Floats:
    """Share of each label's known frames that have a crop."""
    known = ~np.isnan(truth)
    return _ratio((known & ~np.isnan(probability)).sum(axis=0), known.sum(axis=0))


def auc(truth: Floats, probability: Floats) -> Floats:
    """Area under the ROC curve of each label; NaN where only one of present and absent occurs.

    A frame without a crop has probability 0.
    """
    return _ranked(roc_auc_score, truth, probability)


def average_precision(truth: Floats, probability: Floats) -> Floats:
    """Average precision of each label, under the conventions of `auc`."""
    return _ranked(average_precision_score, truth, probability)


def within_activity_f1(truth: Floats, probability: Floats, activity: NDArray, threshold: float) -> Floats:
    """F1 of each label inside one activity at a time, averaged over the activities in which the label occurs.

    Knowing the activity is worth nothing here. Each activity weighs the same, however many frames it has;
    frames whose activity is None are left out.

    Args:
        truth: (frames, labels).
        probability: (frames, labels).
        activity: (frames,) of str or None.
        threshold: As in `count`.

    Returns:
        (labels,); NaN for a label that occurs in no activity.
    """
    inside = []
    for name in sorted({name for name in activity if name is not None}):
        rows = activity == name
        counts = count(truth[rows], probability[rows], [threshold])[0]
        inside.append(np.where(counts[:, TP] + counts[:, FN] > 0, f1(counts), np.nan))
    return mean_known(np.array(inside).reshape(-1, truth.shape[1]), axis=0)


def any_known(values: Floats) -> NDArray[np.bool_]:
    """Of (frames, labels), the frames with a value for some label: labelled, or with a crop."""
    known: NDArray[np.bool_] = np.any(np.logical_not(np.isnan(values)), axis=1)
    return known


def mean_known(values: Floats, axis: int = -1) -> Floats:
    """Mean over the values that are not NaN; NaN where there are none."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))


def _ranked(score: Callable[[NDArray, NDArray], float], truth: Floats, probability: Floats) -> Floats:
    values = np.full(truth.shape[1], np.nan)
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        present = truth[known, label]
        if len(np.unique(present)) == 2:
            values[label] = score(present, np.nan_to_num(probability[known, label], nan=0.0))
    return values


def _ratio(part: NDArray, whole: NDArray, undefined: float = np.nan) -> Floats:
    filled = np.full(np.shape(whole), undefined, dtype=np.float64)
    return np.divide(part, whole, out=filled, where=np.asarray(whole) > 0)


def _known_only(counts: Counts, values: Floats) -> Floats:
    return np.where(counts.sum(axis=-1) > 0, values, np.nan)
