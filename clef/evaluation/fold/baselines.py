"""The activity-only baseline: action units predicted from the activity, without looking at the face.

The rate of an action unit in an activity among training subjects predicts it among test subjects. To make the baseline
as strong as it can honestly be, each label gets the threshold with the best F1 on the training frames. Always
predicting the label is one of the choices.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold.metrics import Floats, base_rate, confusion_counts, f1


@dataclass(frozen=True)
class ActivityOnly:
    """Rates and thresholds learnt from training frames."""

    overall: Floats
    """(labels,): rate over all training frames."""
    rates: dict[str, Floats]
    """Activity to (labels,): rate in that activity, or the overall rate if it has no known frame."""
    thresholds: Floats
    """(labels,): the lowest threshold with the best F1 on the training frames."""

    @classmethod
    def fit(cls, truth: Floats, activity: NDArray) -> "ActivityOnly":
        """Learn from truth (frames, labels) and activity (frames,), str or None, of training frames."""
        overall = _rate(truth)
        rates = {}
        for name in sorted({name for name in activity if name is not None}):
            rate = _rate(truth[activity == name])
            rates[name] = np.where(np.isnan(rate), overall, rate)
        baseline = cls(overall, rates, np.full(truth.shape[1], 0.5))
        scores = baseline.scores(activity)
        thresholds = [_best_threshold(truth[:, [i]], scores[:, [i]]) for i in range(truth.shape[1])]
        return replace(baseline, thresholds=np.array(thresholds))

    def scores(self, activity: NDArray) -> Floats:
        """(frames, labels): the rate in each frame's activity, or the overall rate if it is unknown or new."""
        return np.array([self.rates.get(name, self.overall) for name in activity]).reshape(-1, len(self.overall))

    def predictions(self, activity: NDArray) -> Floats:
        """(frames, labels): 1 where the rate reaches the threshold, else 0."""
        return (self.scores(activity) >= self.thresholds).astype(np.float64)


def _rate(truth: Floats) -> Floats:
    return base_rate(confusion_counts(truth, np.ones_like(truth), [0.5])[0])


def _best_threshold(truth: Floats, score: Floats) -> float:
    candidates = np.unique(score[~np.isnan(score)])
    if not len(candidates):  # the label is unknown in every training frame
        return 0.5
    reached = f1(confusion_counts(truth, score, candidates.tolist())[:, 0])
    return float(candidates[np.argmax(np.nan_to_num(reached))])
