"""The metrics of one fold for action units."""

from typing import Any

import numpy as np

from clef.evaluation.fold import metrics
from clef.evaluation.fold.baselines import ActivityOnly
from clef.evaluation.fold.bootstrap_units import units_by_subject
from clef.evaluation.fold.join_labels import FoldArrays
from clef.evaluation.fold.metrics import FN, TP, any_known, confusion_counts, mean_known
from clef.evaluation.fold.optimistic_choice import GRID, best_choice
from clef.evaluation.fold.threshold_tuning import Tuning, log_loss, temper


def score_action_units(
    fold: FoldArrays, names: list[str], threshold: float, tuning: Tuning | None = None
) -> dict[str, Any]:
    """Score every label and their mean.

    Returns:
        `rows`: label or `mean` to metrics, see `clef.evaluation.fold.score_fold`.
        `field` and `field_max`: epoch and threshold chosen on the test fold.
        `tuned`: temperature and thresholds chosen on held-out training subjects.
        `confusions`: counts (labels, 4) behind columns other than `f1`, to be summed over folds.
        `resampled`, `counts` and `counts_activity_only`: input of the bootstrap.
        `counts_by_activity`: activity to counts (labels, 4).
    """
    truth, probability = fold.truth, fold.probability
    has_crop = any_known(probability)
    strict = confusion_counts(truth, probability, [threshold])[0]  # (labels, 4)
    confusions = {"f1_faces": confusion_counts(truth[has_crop], probability[has_crop], [threshold])[0]}
    if tuning is not None:
        confusions["f1_tuned"] = tuning.counts(truth, probability)
    field, field_f1 = best_choice(truth, fold.epochs_to_choose_from, [threshold])
    field_max, field_max_f1 = best_choice(truth, fold.epochs_to_choose_from, sorted({*GRID, threshold}))
    undefined = np.full(len(names), np.nan)
    activity_only = dict.fromkeys(("activity_only", "activity_only_untuned", "activity_only_auc"), undefined)
    baseline_units = None
    if any(name is not None for name in fold.train_activity):
        baseline = ActivityOnly.fit(fold.train_truth, fold.train_activity)
        scores, predicted = baseline.scores(fold.activity), baseline.predictions(fold.activity)
        confusions["activity_only"] = confusion_counts(truth, predicted, [0.5])[0]
        activity_only = {
            "activity_only": metrics.f1(confusions["activity_only"]),
            "activity_only_untuned": metrics.f1(confusion_counts(truth, scores, [threshold])[0]),
            "activity_only_auc": metrics.auc(truth, scores),
        }
        baseline_units = units_by_subject(truth, predicted, 0.5, fold.subject, fold.sequence).to_records()
    rate = metrics.base_rate(strict)
    columns = {
        "f1": metrics.f1(strict),
        "precision": metrics.precision(strict),
        "recall": metrics.recall(strict),
        "f1_faces": metrics.f1(confusions["f1_faces"]),
        "f1_field": field_f1,
        "f1_field_max": field_max_f1,
        "f1_tuned": undefined if tuning is None else metrics.f1(confusions["f1_tuned"]),
        "auc": metrics.auc(truth, probability),
        "ap": metrics.average_precision(truth, probability),
        "auc_description": undefined if fold.similarity is None else metrics.auc(truth, fold.similarity),
        "calibration_error": metrics.calibration_error(truth, probability),
        "f1_within_activity": metrics.within_activity_f1(truth, probability, fold.activity, threshold),
        "base_rate": rate,
        "floor": metrics.always_positive_f1(rate),
        **activity_only,
        "coverage": metrics.coverage(truth, probability),
    }
    about = {"frames": (~np.isnan(truth)).sum(axis=0), "positives": strict[:, TP] + strict[:, FN]}
    rows = {name: {key: values[i] for key, values in (columns | about).items()} for i, name in enumerate(names)}
    rows["mean"] = {key: mean_known(values) for key, values in columns.items()}
    rows["mean"] |= {"frames": len(truth), "positives": None}
    units = units_by_subject(truth, probability, threshold, fold.subject, fold.sequence)
    return {
        "rows": rows,
        "field": field,
        "field_max": field_max,
        "tuned": None if tuning is None else _tuned(fold, names, tuning),
        "confusions": confusions,
        "resampled": units.kind,
        "counts": units.to_records(),
        "counts_activity_only": baseline_units,
        "counts_by_activity": metrics.counts_by_name(fold.activity, truth, probability, threshold),
    }


def _tuned(fold: FoldArrays, names: list[str], tuning: Tuning) -> dict[str, Any]:
    tempered = temper(fold.probability, tuning.temperature)
    return {
        "frames": tuning.frames,
        "temperature": tuning.temperature,
        "thresholds": dict(zip(names, tuning.thresholds, strict=True)),
        "log_loss": log_loss(fold.truth, fold.probability),
        "log_loss_tempered": log_loss(fold.truth, tempered),
        "calibration_error": mean_known(metrics.calibration_error(fold.truth, fold.probability)),
        "calibration_error_tempered": mean_known(metrics.calibration_error(fold.truth, tempered)),
    }
