"""Counts of BP4D that give the class weights of ME-GraphAU have the published sums and rates."""

import numpy as np
import pytest

from clef.datasets.bp4d import Bp4d
from clef.model.losses import inverse_rate_weight

POSITIVES = {
    "P1": (8322, 8172, 10085, 21055, 29862, 29183, 28277, 20274, 7664, 16080, 8023, 7076),
    "P2": (10223, 6568, 9870, 23312, 27651, 27954, 26187, 25762, 10024, 18379, 8657, 7867),
    "P3": (12497, 10370, 9800, 23309, 23103, 30133, 28066, 22339, 7181, 15947, 7608, 7286),
}
"""Frames of each part in which each action unit is present: the only whole numbers that give the weights' digits."""
FRAMES = {"P1": 50_631, "P2": 50_182, "P3": 46_034}
WEIGHTS = {
    "P1": "1.132895 1.519623 1.308560 .552098 .507140 .443118 .474432 .535111 1.496040 .749851 1.582501 1.698632",
    "P2": "1.191051 1.337315 1.246995 .558933 .468168 .418041 .440099 .581900 1.670360 .774237 1.586367 1.726535",
    "P3": "1.342985 1.689665 1.248091 .561356 .433044 .435894 .457287 .541004 1.408054 .722762 1.493145 1.666711",
}
"""Class weights of ME-GraphAU by tested part; it calls P3 fold 1 and P1 fold 3."""


def test_bp4d():
    published = Bp4d.published_counts
    positives, frames = np.array(list(POSITIVES.values())), np.array(list(FRAMES.values()))
    assert published.frames_by["fold"] == FRAMES
    assert published.labelled_frames == sum(frames) == sum(published.frames_by["activity"].values())
    assert positives.sum(axis=0) / sum(frames) == pytest.approx(list(published.rates.values()), abs=0.0005)
    for tested, weights in enumerate(WEIGHTS.values()):
        rates = np.delete(positives, tested, axis=0).sum(axis=0) / np.delete(frames, tested).sum()
        expected = [float(weight) for weight in weights.split()]
        assert inverse_rate_weight(rates.tolist()).tolist() == pytest.approx(expected, abs=0.7e-6)
