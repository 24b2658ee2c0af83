"""Thresholds and a temperature chosen on training subjects whom an inner stage 2 did not see.

The inner stage 2 starts from the fold's own stage 1, which has seen these people and their activities, never their
labels. What is chosen here is then used on the predictions of the fold's stage 2, trained on all training subjects.
Test subjects take no part in it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from clef.evaluation.fold.metrics import Counts, Floats, any_known, count, f1
from clef.evaluation.fold.optimistic import GRID

EXTREME = 1e-6
"""Probabilities nearer to 0 or 1 than this are taken as this near."""
TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Tuning:
    """A temperature for the logits of all labels, and a threshold for the tempered probability of each."""

    temperature: float
    thresholds: Floats
    frames: int
    """Held-out frames that these were chosen on."""

    def temper(self, probability: Floats) -> Floats:
        """Probabilities whose logits are divided by the temperature; NaN stays NaN."""
        return _tempered(probability, self.temperature)

    def counts(self, truth: Floats, probability: Floats) -> Counts:
        """Confusion counts (labels, 4) of the test frames."""
        tempered = self.temper(probability)
        columns = [
            count(truth[:, [i]], tempered[:, [i]], [threshold])[0, 0] for i, threshold in enumerate(self.thresholds)
        ]
        return np.stack(columns)


def tune(truth: Floats, probability: Floats, default: float) -> Tuning:
    """Choose the temperature with the least log loss, then each label's threshold with the highest F1.

    Args:
        truth: (held-out frames, labels): 1, 0, NaN unknown.
        probability: The same shape; NaN without a crop, which counts as "absent".
        default: Of thresholds that do equally well the nearest to it is taken: itself for a label that nobody held
            out shows, or that is not known of anybody.

    Returns:
        Thresholds among 0.01 to 0.99 and the default.
    """
    has_crop = any_known(probability)
    known, given = truth[has_crop], probability[has_crop]
    found = minimize_scalar(
        lambda log_temperature: log_loss(known, _tempered(given, np.exp(log_temperature))),
        bounds=np.log(TEMPERATURES),
        method="bounded",
    )
    temperature = float(np.exp(found.x))
    grid = np.array(sorted({*GRID, default}))
    scores = f1(count(truth, _tempered(probability, temperature), grid.tolist()))  # (thresholds, labels)
    thresholds = np.full(truth.shape[1], default)
    for label in np.flatnonzero(~np.isnan(truth).all(axis=0)):
        best = grid[scores[:, label] == scores[:, label].max()]
        thresholds[label] = best[np.argmin(np.abs(best - default))]
    return Tuning(temperature, thresholds, len(truth))


def log_loss(truth: Floats, probability: Floats) -> float:
    """Mean over known labels of frames with a crop; NaN where there are none."""
    known = ~np.isnan(truth) & ~np.isnan(probability)
    if not known.any():
        return np.nan
    likelihood = np.where(truth == 1, probability, 1 - probability)[known]
    return float(-np.log(np.clip(likelihood, EXTREME, 1)).mean())


def _tempered(probability: Floats, temperature: float) -> Floats:
    return expit(logit(np.clip(probability.astype(np.float64), EXTREME, 1 - EXTREME)) / temperature)
