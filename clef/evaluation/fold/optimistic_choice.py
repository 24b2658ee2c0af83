"""Optimistic scores: choose the epoch, and optionally the threshold, that score best on the test fold itself.

Published numbers are often chosen like this. They are optimistic because the test labels take part in the choice. They
use the same frames and rules as the headline F1, so the gap to the headline is the effect of the choice alone.
"""

from dataclasses import dataclass

import numpy as np

from clef.evaluation.fold.metrics import Floats, confusion_counts, f1, mean_known

GRID = [step / 100 for step in range(1, 100)]
"""The thresholds that FMAE's published evaluation tries on the test fold."""


@dataclass(frozen=True)
class Choice:
    """The chosen epoch and threshold, one for all labels, and the F1 of each label."""

    epoch: int
    threshold: float
    f1: Floats


def best_choice(truth: Floats, epochs: dict[int, Floats], thresholds: list[float]) -> Choice | None:
    """Choose the highest mean F1, the first epoch and the lowest threshold if tied; None without epochs."""
    best, best_mean = None, -np.inf
    for epoch, probability in sorted(epochs.items()):
        scores = f1(confusion_counts(truth, probability, thresholds))  # (thresholds, labels)
        means = mean_known(scores)
        step = int(np.argmax(means))
        if means[step] > best_mean:
            best, best_mean = Choice(epoch, thresholds[step], scores[step]), means[step]
    return best
