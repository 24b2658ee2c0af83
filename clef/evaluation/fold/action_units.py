"""The metrics of one fold for action units."""

from typing import Any

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.baselines import ActivityOnly
from clef.evaluation.fold.bootstrap_units import units_by_subject
from clef.evaluation.fold.join_labels import FoldArrays
from clef.evaluation.fold.metrics import FN, TP, Floats, any_known, count, mean_known
from clef.evaluation.fold.optimistic import Choice, best_epoch, best_epoch_and_threshold
from clef.evaluation.fold.threshold_tuning import Tuning, log_loss


def score_action_units(
    fold: FoldArrays, names: list[str], threshold: float, tuning: Tuning | None = None
) -> dict[str, Any]:
    """Score every label, and their mean.

    Returns:
        `rows`: label, or `mean`, to its metrics (see `clef.evaluation.fold.score_fold`); `field` and `field_max`: the
        epoch and threshold chosen on the test fold; `tuned`: what was chosen on held-out training subjects;
        `confusions`: counts (labels, 4) of tp, fp, fn, tn behind other columns than `f1`, to be added up over folds;
        `resampled`, `counts` and `counts_activity_only`: what the bootstrap needs.
    """
    truth, probability = fold.truth, fold.probability
    has_crop = any_known(probability)
    strict = count(truth, probability, [threshold])[0]  # (labels, 4)
    faces = count(truth[has_crop], probability[has_crop], [threshold])[0]
    field = best_epoch(truth, fold.epochs, threshold)
    field_max = best_epoch_and_threshold(truth, fold.epochs, threshold)
    baseline = _baseline(fold)
    undefined = np.full(len(names), np.nan)
    rate = metrics.base_rate(strict)
    columns = {
        "f1": metrics.f1(strict),
        "precision": metrics.precision(strict),
        "recall": metrics.recall(strict),
        "f1_faces": metrics.f1(faces),
        "f1_field": undefined if field is None else field.f1,
        "f1_field_max": undefined if field_max is None else field_max.f1,
        "f1_tuned": undefined if tuning is None else metrics.f1(tuning.counts(truth, probability)),
        "auc": metrics.auc(truth, probability),
        "ap": metrics.average_precision(truth, probability),
        "f1_within_activity": metrics.within_activity_f1(truth, probability, fold.activity, threshold),
        "base_rate": rate,
        "floor": metrics.always_positive_f1(rate),
        **_activity_only(baseline, fold, threshold, undefined),
        "coverage": metrics.coverage(truth, probability),
    }
    frames = (~np.isnan(truth)).sum(axis=0)
    positives = strict[:, TP] + strict[:, FN]
    rows = {
        name: {key: values[i] for key, values in columns.items()} | {"frames": frames[i], "positives": positives[i]}
        for i, name in enumerate(names)
    }
    rows["mean"] = {key: mean_known(values) for key, values in columns.items()}
    rows["mean"] |= {"frames": len(truth), "positives": None}
    confusions = {"f1_faces": faces}
    if tuning is not None:
        confusions["f1_tuned"] = tuning.counts(truth, probability)
    if baseline is not None:
        confusions["activity_only"] = baseline.counts(truth, fold.activity)
    units = units_by_subject(truth, probability, threshold, fold.subject, fold.sequence)
    without_faces = None
    if baseline is not None:
        predicted = baseline.predictions(fold.activity)
        without_faces = units_by_subject(truth, predicted, 0.5, fold.subject, fold.sequence).to_records()
    return {
        "rows": rows,
        "field": _choice(field),
        "field_max": _choice(field_max),
        "tuned": _tuned(fold, names, tuning),
        "confusions": confusions,
        "resampled": units.kind,
        "counts": units.to_records(),
        "counts_activity_only": without_faces,
    }


def _baseline(fold: FoldArrays) -> ActivityOnly | None:
    if all(name is None for name in fold.train_activity):
        return None
    return ActivityOnly.fit(fold.train_truth, fold.train_activity)


def _activity_only(
    baseline: ActivityOnly | None, fold: FoldArrays, threshold: float, undefined: Floats
) -> dict[str, Floats]:
    """The baseline's F1 at its own thresholds, its F1 at the run's threshold, and its AUC."""
    keys = ("activity_only", "activity_only_untuned", "activity_only_auc")
    if baseline is None:
        return dict.fromkeys(keys, undefined)
    scores = baseline.scores(fold.activity)
    tuned = metrics.f1(baseline.counts(fold.truth, fold.activity))
    untuned = metrics.f1(count(fold.truth, scores, [threshold])[0])
    return dict(zip(keys, (tuned, untuned, metrics.auc(fold.truth, scores)), strict=True))


def _tuned(fold: FoldArrays, names: list[str], tuning: Tuning | None) -> dict[str, Any] | None:
    if tuning is None:
        return None
    return {
        "frames": tuning.frames,
        "temperature": tuning.temperature,
        "thresholds": dict(zip(names, tuning.thresholds, strict=True)),
        "log_loss": log_loss(fold.truth, fold.probability),
        "log_loss_tempered": log_loss(fold.truth, tuning.temper(fold.probability)),
    }


def _choice(choice: Choice | None) -> dict[str, Any] | None:
    return None if choice is None else {"epoch": choice.epoch, "threshold": choice.threshold}
