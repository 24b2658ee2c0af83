"""Choose thresholds and a temperature on training subjects that an inner stage 2 did not see.

The inner stage 2 starts from the fold's own stage 1, which saw these subjects and their activities but not their
labels. The choice is then applied to the predictions of the fold's stage 2, which trains on all training subjects. Test
subjects take no part.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from clef.evaluation.fold.metrics import Counts, Floats, any_known, confusion_counts, f1
from clef.evaluation.fold.optimistic_choice import GRID

EXTREME = 1e-6  # probabilities are clipped to [EXTREME, 1 - EXTREME]
TEMPERATURES = (0.05, 20.0)  # range of the search


@dataclass(frozen=True)
class Tuning:
    """One temperature for the logits of all labels, and a threshold for the tempered probability of each label."""

    temperature: float
    thresholds: Floats
    frames: int
    """Number of held-out frames."""

    def counts(self, truth: Floats, probability: Floats) -> Counts:
        """Confusion counts (labels, 4) of test frames."""
        predicted = temper(probability, self.temperature) >= self.thresholds
        return confusion_counts(truth, predicted.astype(np.float64), [0.5])[0]


def tune(truth: Floats, probability: Floats, default: float) -> Tuning:
    """Choose the temperature with the least log loss, then each label's threshold with the highest F1.

    Truth and probability are (held-out frames, labels); a NaN probability counts as absent. The thresholds are among
    0.01 to 0.99 and the default. Ties go to the one nearest to the default. A label that is never present or never
    known keeps the default.
    """
    has_crop = any_known(probability)
    known, given = truth[has_crop], probability[has_crop]
    found = minimize_scalar(
        lambda log_temperature: log_loss(known, temper(given, np.exp(log_temperature))),
        bounds=np.log(TEMPERATURES),
        method="bounded",
    )
    temperature = float(np.exp(found.x))
    grid = np.array(sorted({*GRID, default}))
    scores = f1(confusion_counts(truth, temper(probability, temperature), grid.tolist()))  # (thresholds, labels)
    thresholds = np.full(truth.shape[1], default)
    for label in np.flatnonzero(any_known(truth.T)):
        best = grid[scores[:, label] == scores[:, label].max()]
        thresholds[label] = best[np.argmin(np.abs(best - default))]
    return Tuning(temperature, thresholds, len(truth))


def temper(probability: Floats, temperature: float) -> Floats:
    """Divide the logits by the temperature; NaN stays NaN."""
    return expit(logit(np.clip(probability.astype(np.float64), EXTREME, 1 - EXTREME)) / temperature)


def log_loss(truth: Floats, probability: Floats) -> float:
    """Mean over known labels of frames with a crop; NaN if there are none."""
    known = ~np.isnan(truth) & ~np.isnan(probability)
    if not known.any():
        return np.nan
    likelihood = np.where(truth == 1, probability, 1 - probability)[known]
    return float(-np.log(np.clip(likelihood, EXTREME, 1)).mean())
