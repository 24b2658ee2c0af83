"""Score one seed and fold. The result is the content of `metrics.json`.

`rows` maps a label or `mean`, and for expressions `mean_class_accuracy` and `accuracy`, to metrics between 0 and 1,
null if undefined:

- `f1`: the strict headline, with the last epoch and a fixed threshold; nothing is chosen on the test fold. A labelled
  frame without a crop counts as absent for every label, or as a wrong expression. `precision` and `recall` belong to
  it.
- `f1_faces`: the same on frames with a crop only.
- `f1_field`: optimistic; the epoch with the best mean F1 on the test fold (expressions: accuracy), at the fixed
  threshold. The mean cannot be below the strict one, but a single label can. Null if only the last of several epochs
  was predicted (`finetune.test_epochs: last`).
- `f1_field_max`: likewise; one threshold of 99, the same for all labels, is chosen as well. Action units only.
- `f1_tuned`: last epoch, with each label's threshold chosen on held-out training subjects; null without a `tune`
  section. Action units only. The key `tuned` beside `rows` has the thresholds, the temperature, the number of frames
  used, and log loss and mean calibration error of the test frames with a crop before and after the temperature.
- `auc`, `ap`: need no threshold; a frame without a crop has probability 0.
- `auc_description`: AUC of the cosine between the image and the label's description, a sentence that no image was
  matched with in training. It says what asking the run in words is worth. Null for linear heads, and for runs that
  match images with descriptions.
- `calibration_error`: expected calibration error of the frames with a crop, in ten bins.
- `f1_within_activity`: F1 within single activities, mean over the activities in which the label occurs.
- `base_rate`, `coverage`, `frames`, `positives`: share of frames with the label, share of frames with a crop, number of
  known frames, number of frames with the label.
- `floor`: F1 of always predicting the label; for expressions, of always predicting the most frequent training class.
- `activity_only`: F1 of the activity-only baseline at thresholds tuned on the training subjects;
  `activity_only_untuned` at the run's threshold; `activity_only_auc`. Action units with activities only. With a label
  budget (`finetune.label_share`), it knows the same labels as the network; null for zero-shot labels.

The mean is over labels with a value, equally weighted. In the row `accuracy` the keys hold accuracies, and in
`mean_class_accuracy` the means of the accuracies within each true class.

`frames` beside `rows` is the number of frames with a known label, and `unknown_frames` that of labelled frames with
none; `status` counts the former. `counts_by_activity` has the strict counts (labels, 4) of each activity. For
`by_threshold` see `clef.evaluation.fold.threshold_counts`.
"""

from typing import Any

import pandas as pd

from clef.evaluation.fold.action_units import score_action_units
from clef.evaluation.fold.expressions import score_expressions
from clef.evaluation.fold.join_labels import join_labels
from clef.evaluation.fold.json_data import json_data
from clef.evaluation.fold.threshold_counts import counts_by_threshold
from clef.evaluation.fold.threshold_tuning import Tuning
from clef.params.schema import EvaluateParams, LabelParams

DECIMALS = 6


def score_fold(
    predictions: pd.DataFrame,
    epochs: pd.DataFrame | None,
    test_labels: pd.DataFrame,
    train_labels: pd.DataFrame,
    labels: LabelParams,
    settings: EvaluateParams,
    tuning: Tuning | None = None,
) -> dict[str, Any]:
    """Compute the content of `metrics.json`, except `seed` and `fold`, which the caller adds.

    `predictions` has one row per labelled test frame: `dataset, subject, activity, sequence, frame, status` and the
    probability of each label in `p_` + label, NaN without a crop, and may have the cosine with its description in
    `d_` + label. `epochs` has the same for the test frames with a crop
    after each `epoch`, including the last; None if not kept. The labels have `sequence`, `frame`, and 1, 0, NaN unknown
    for each action unit, or `expression`; those of the training frames also have `subject` and `activity`.

    Raises:
        ClefError: The tables do not belong together; see `join_labels`.
    """
    arrays = join_labels(predictions, epochs, test_labels, train_labels, labels)
    action_units = labels.kind == "action_units"
    if action_units:
        scores = score_action_units(arrays, labels.names, settings.threshold, tuning)
    else:
        scores = score_expressions(arrays, labels.names)
    about = {
        "dataset": str(predictions["dataset"].iloc[0]),
        "kind": labels.kind,
        "labels": labels.names,
        "threshold": settings.threshold if action_units else None,
        "last_epoch": max(arrays.epochs, default=None),
        "subjects": sorted({name for name in arrays.subject if name is not None}),
        "frames": len(arrays.truth),
        "unknown_frames": len(predictions) - len(arrays.truth),
        "status": arrays.status,
        "by_threshold": counts_by_threshold(arrays.truth, arrays.probability),
    }
    return json_data(about | scores, DECIMALS)
