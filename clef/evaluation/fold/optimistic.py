"""What the field reports: the epoch, and sometimes the threshold, that do best on the test fold itself.

Both numbers are optimistic, since the test labels took part in the choice. They are scored on the same frames
and in the same way as the headline, a frame without a crop counting as "absent", so that the gap is that
choice's alone.
"""

from dataclasses import dataclass

import numpy as np

from clef.evaluation.fold.metrics import Floats, count, f1, mean_known

GRID = [step / 100 for step in range(1, 100)]
"""The thresholds that FMAE's published evaluation tries on the test fold."""


@dataclass(frozen=True)
class Choice:
    """An epoch and one threshold for all labels, and the F1 of each label there."""

    epoch: int
    threshold: float
    f1: Floats


def best_epoch(truth: Floats, epochs: dict[int, Floats], threshold: float) -> Choice | None:
    """The epoch with the highest mean F1 at the given threshold; None without epochs."""
    return _best(truth, epochs, [threshold])


def best_epoch_and_threshold(truth: Floats, epochs: dict[int, Floats], threshold: float) -> Choice | None:
    """The best of all epochs and of the thresholds 0.01 to 0.99 and the given one."""
    return _best(truth, epochs, sorted({*GRID, threshold}))


def _best(truth: Floats, epochs: dict[int, Floats], thresholds: list[float]) -> Choice | None:
    """The first epoch and lowest threshold among equals."""
    best, best_mean = None, -np.inf
    for epoch, probability in sorted(epochs.items()):
        scores = f1(count(truth, probability, thresholds))  # (thresholds, labels)
        means = mean_known(scores)
        step = int(np.argmax(means))
        if means[step] > best_mean:
            best, best_mean = Choice(epoch, thresholds[step], scores[step]), means[step]
    return best
