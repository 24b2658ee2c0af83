"""The metrics of one fold for expressions. Each frame shows one expression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import units_by_image, units_by_subject
from clef.evaluation.fold.join_labels import FoldArrays
from clef.evaluation.fold.metrics import FN, TP, Floats, any_known, confusion_counts, mean_known

ONE_HOT_THRESHOLD = 0.5


def score_expressions(fold: FoldArrays, names: list[str]) -> dict[str, Any]:
    """Score every class, their mean, mean class accuracy, and overall accuracy.

    The prediction is the most probable class; a frame without a crop is wrong. The floor always predicts the most
    frequent class of the training frames, or of the test frames if no training frame has such labels.

    Returns:
        `rows`: class, `mean`, `mean_class_accuracy` or `accuracy` to metrics, see `clef.evaluation.fold.score_fold`.
        The last two hold accuracies under the same keys.
        `confusion`: true class by predicted class; the last column is "no crop".
        `field`, `field_max`, `confusions`, `resampled`, `counts` and `counts_by_activity`: as for action units.
    """
    truth = fold.truth
    predicted = one_hot_prediction(fold.probability)
    has_crop = any_known(predicted)
    epochs = sorted(fold.epochs_to_choose_from.items())
    by_epoch = {epoch: _counts(truth, one_hot_prediction(values)) for epoch, values in epochs}
    field = max(by_epoch, key=lambda epoch: metrics.accuracy(by_epoch[epoch]), default=None)
    constant = np.zeros_like(truth)
    known = fold.train_truth if len(fold.train_truth) else truth
    constant[:, np.nansum(known, axis=0).argmax()] = 1
    strict = _counts(truth, predicted)  # (classes, 4)
    variants = {
        "f1": strict,
        "f1_faces": _counts(truth[has_crop], predicted[has_crop]),
        "floor": _counts(truth, constant),
    }
    if field is not None:
        variants["f1_field"] = by_epoch[field]
    undefined = np.full(len(names), np.nan)
    columns = {key: metrics.f1(counts) for key, counts in variants.items()}
    columns |= {
        "precision": metrics.precision(strict),
        "recall": metrics.recall(strict),
        "auc": metrics.auc(truth, fold.probability),
        "ap": metrics.average_precision(truth, fold.probability),
        "auc_description": undefined if fold.similarity is None else metrics.auc(truth, fold.similarity),
        "calibration_error": metrics.calibration_error(truth, fold.probability),
        "f1_within_activity": metrics.within_activity_f1(truth, predicted, fold.activity, ONE_HOT_THRESHOLD),
        "base_rate": metrics.base_rate(strict),
    }
    positives, with_crop = (counts[:, TP] + counts[:, FN] for counts in (strict, variants["f1_faces"]))
    about = {
        "coverage": metrics.ratio(with_crop, positives),
        "frames": np.full(len(names), len(truth)),
        "positives": positives,
    }
    rows = {name: {key: values[i] for key, values in (columns | about).items()} for i, name in enumerate(names)}
    overall = {"coverage": float(has_crop.mean()), "frames": len(truth), "positives": None}
    rows["mean"] = {key: mean_known(values) for key, values in columns.items()} | overall
    for name, score in metrics.ACCURACIES.items():
        rows[name] = {key: score(counts) for key, counts in variants.items()} | overall
    confusion = _confusion(truth.argmax(axis=1), predicted)
    if all(name is None for name in fold.subject):
        units = units_by_image(confusion)
    else:
        units = units_by_subject(truth, predicted, ONE_HOT_THRESHOLD, fold.subject, fold.sequence)
    return {
        "rows": rows,
        "confusion": confusion,
        "field": None if field is None else {"epoch": field, "threshold": None},
        "field_max": None,
        "confusions": {key: variants[key] for key in ("f1_faces", "floor")},
        "resampled": units.kind,
        "counts": units.to_records(),
        "counts_by_activity": metrics.counts_by_name(fold.activity, truth, predicted, ONE_HOT_THRESHOLD),
    }


def one_hot_prediction(probability: Floats) -> Floats:
    """One-hot rows of the most probable class, the first if tied. Rows without a crop stay NaN."""
    one_hot = np.full(probability.shape, np.nan)
    has_crop = any_known(probability)
    one_hot[has_crop] = np.eye(probability.shape[1])[probability[has_crop].argmax(axis=1)]
    return one_hot


def _counts(truth: Floats, one_hot: Floats) -> NDArray[np.int64]:
    return confusion_counts(truth, one_hot, [ONE_HOT_THRESHOLD])[0]


def _confusion(class_of: NDArray[np.int64], predicted: Floats) -> NDArray[np.int64]:
    classes = predicted.shape[1]
    column = np.where(any_known(predicted), np.nan_to_num(predicted).argmax(axis=1), classes)
    return np.bincount(class_of * (classes + 1) + column, minlength=classes * (classes + 1)).reshape(classes, -1)
