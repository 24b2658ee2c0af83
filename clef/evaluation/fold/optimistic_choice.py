"""Optimistic scores: choose the epoch, and optionally the threshold, that score best on the test fold itself.

Published numbers are often chosen like this. They are optimistic because the test labels take part in the choice. They
use the same frames and rules as the headline F1, so the gap to the headline is the effect of the choice alone.
"""

from typing import Any

import numpy as np

from clef.evaluation.fold.metrics import Floats, confusion_counts, f1, mean_known

GRID = [step / 100 for step in range(1, 100)]
"""The thresholds that FMAE's published evaluation tries on the test fold."""


def best_choice(
    truth: Floats, epochs: dict[int, Floats], thresholds: list[float]
) -> tuple[dict[str, Any] | None, Floats]:
    """Choose the `epoch` and `threshold` with the highest mean F1, the first and the lowest if tied; None without any.

    Also returns the F1 of each label under this choice, NaN without epochs.
    """
    best, best_f1, best_mean = None, np.full(truth.shape[1], np.nan), -np.inf
    for epoch, probability in sorted(epochs.items()):
        scores = f1(confusion_counts(truth, probability, thresholds))  # (thresholds, labels)
        means = mean_known(scores)
        step = int(np.argmax(means))
        if means[step] > best_mean:
            best = {"epoch": epoch, "threshold": thresholds[step]}
            best_f1, best_mean = scores[step], means[step]
    return best, best_f1
