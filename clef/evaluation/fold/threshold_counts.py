"""Confusion counts at many thresholds: all that curves of precision, recall and calibration need of a fold.

They are part of `metrics.json`, so that a report reads neither predictions nor labels.
"""

from typing import Any

from clef.evaluation.fold.metrics import FP, TP, Floats, confusion_counts
from clef.evaluation.fold.optimistic_choice import GRID

TAIL = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005)
"""Small thresholds, and their distances from 1: many models predict almost only values near 0 and 1."""

THRESHOLDS = [0.0, *TAIL, *GRID, *(round(1 - value, 4) for value in reversed(TAIL))]


def counts_by_threshold(truth: Floats, probability: Floats) -> dict[str, Any]:
    """Count the frames of each label with a probability of at least each threshold, by their truth.

    Returns `thresholds`, and `tp` and `fp` as (labels, thresholds). A frame without a crop reaches no threshold.
    """
    counts = confusion_counts(truth, probability, THRESHOLDS)  # (thresholds, labels, 4)
    return {"thresholds": THRESHOLDS, "tp": counts[..., TP].T, "fp": counts[..., FP].T}
