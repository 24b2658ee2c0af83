"""The metrics of one seed and fold: what `metrics.json` holds.

Each of `rows` (a label, or `mean`; for expressions also `accuracy`) has these, between 0 and 1, null where
undefined:

- `f1`: the headline, *strict*: last epoch, fixed threshold, chosen without the test fold. A labelled frame
  without a crop counts as "absent" for every label, or as a wrong expression. Beside it its `precision` and
  `recall`.
- `f1_faces`: the same on frames with a crop only.
- `f1_field`: the epoch that is best on the test fold, threshold as given (expressions: by accuracy).
  Optimistic.
- `f1_field_max`: the best of 99 thresholds on the test fold too. Optimistic. Action units only.
- `f1_tuned`: the last epoch, with each label's threshold chosen on training subjects held out for it; null
  without a `tune` section. The key `tuned` beside `rows` has the thresholds, the temperature, on how many frames
  they were chosen, and the log loss of the test frames with a crop before and after the temperature. Action
  units only.
- `auc`, `ap`: free of a threshold; a frame without a crop has probability 0.
- `f1_within_activity`: F1 inside one activity at a time, mean over the activities in which the label occurs.
- `base_rate`, `coverage`, `frames`, `positives`: share present, share with a crop, known frames, frames
  present.
- `floor`: F1 of always predicting the label; for expressions, of always predicting training's most frequent
  class.
- `activity_only`: F1 of knowing the activity and nothing else, at thresholds tuned on the training subjects;
  `activity_only_untuned` at the run's threshold; `activity_only_auc`. Action units only.

The mean is over labels with a value, each weighing the same. In the row `accuracy` the keys hold accuracies.
"""

from typing import Any

import pandas as pd

from clef.errors import ClefError
from clef.evaluation.fold.action_units import score_action_units
from clef.evaluation.fold.expressions import score_expressions
from clef.evaluation.fold.join_labels import align
from clef.evaluation.fold.json_data import plain
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
    """Score one seed and fold.

    Args:
        predictions: One row a labelled test frame: `dataset, subject, activity, sequence, frame, status` and
            the probability of each label in `p_` + label, NaN without a crop.
        epochs: After each `epoch`, the last included, the same for the test frames with a crop; None if not
            kept.
        test_labels: `sequence`, `frame` and the labels: 1, 0, NaN unknown, or `expression`.
        train_labels: The labels of the training frames, with `subject` and `activity`.
        labels: What is predicted.
        settings: The threshold.
        tuning: Thresholds and temperature chosen on held-out training subjects; None without. Action units only.

    Returns:
        Plain data, rounded. `metrics.json` holds it with the `seed` and the `fold` that the caller knows.

    Raises:
        ClefError: Tables that do not belong together; see `clef.evaluation.fold.join_labels.align`.
    """
    arrays = align(predictions, epochs, test_labels, train_labels, labels)
    datasets = sorted(set(predictions["dataset"].astype(str)))
    if len(datasets) != 1:
        raise ClefError(f"predictions of data sets {', '.join(datasets)}; expected one data set a fold")
    if labels.kind == "action_units":
        scores = score_action_units(arrays, labels.names, settings.threshold, tuning)
    else:
        scores = score_expressions(arrays, labels.names)
    about = {
        "dataset": datasets[0],
        "kind": labels.kind,
        "labels": labels.names,
        "threshold": settings.threshold if labels.kind == "action_units" else None,
        "last_epoch": max(arrays.epochs, default=None),
        "subjects": sorted({name for name in arrays.subject if name is not None}),
        "frames": len(arrays.truth),
        "status": arrays.status,
    }
    return plain(about | scores, DECIMALS)
