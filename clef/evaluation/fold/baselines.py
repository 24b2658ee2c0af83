"""What is reached without looking at a face.

The *activity-only* baseline knows in which activity a frame was filmed and nothing else. Test subjects do the
same activities as training subjects, so the rate at which an action unit occurs in an activity among training
subjects predicts it among test subjects. To set the bar as high as it honestly goes, each label's threshold
is the one with the best F1 over the training frames; always predicting the label is among the choices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clef.evaluation.fold.metrics import Floats, base_rate, count, f1


@dataclass(frozen=True)
class ActivityOnly:
    """Rates and thresholds learnt from training frames alone."""

    overall: Floats
    """(labels,): rate over all training frames."""
    rates: dict[str, Floats]
    """Activity to (labels,): rate in it; the overall rate where no frame of it is known."""
    thresholds: Floats
    """(labels,): of the best F1 over the training frames; the lowest of equals."""

    @classmethod
    def fit(cls, truth: Floats, activity: NDArray) -> "ActivityOnly":
        """Learn from training frames.

        Args:
            truth: (frames, labels): 1 present, 0 absent, NaN unknown.
            activity: (frames,) of str or None.
        """
        overall = _rate(truth)
        rates = {}
        for name in sorted({name for name in activity if name is not None}):
            rate = _rate(truth[activity == name])
            rates[name] = np.where(np.isnan(rate), overall, rate)
        score = _scores(overall, rates, activity)
        thresholds = [_best_threshold(truth[:, [i]], score[:, [i]]) for i in range(truth.shape[1])]
        return cls(overall, rates, np.array(thresholds))

    def scores(self, activity: NDArray) -> Floats:
        """(frames, labels): the rate of each frame's activity; the overall rate where unknown or new."""
        return _scores(self.overall, self.rates, activity)

    def predictions(self, activity: NDArray) -> Floats:
        """(frames, labels): 1 where the rate reaches the learnt threshold, else 0."""
        return (self.scores(activity) >= self.thresholds).astype(np.float64)

    def counts(self, truth: Floats, activity: NDArray) -> NDArray[np.int64]:
        """Confusion counts (labels, 4) on test frames at the learnt thresholds."""
        return count(truth, self.predictions(activity), [0.5])[0]


def _rate(truth: Floats) -> Floats:
    return base_rate(count(truth, np.ones_like(truth), [0.5])[0])


def _scores(overall: Floats, rates: dict[str, Floats], activity: NDArray) -> Floats:
    return np.array([rates.get(name, overall) for name in activity]).reshape(-1, len(overall))


def _best_threshold(truth: Floats, score: Floats) -> float:
    candidates = np.unique(score[~np.isnan(score)])
    if not len(candidates):  # the label is unknown in every training frame
        return 0.5
    return float(candidates[np.argmax(np.nan_to_num(f1(count(truth, score, candidates.tolist())[:, 0])))])
