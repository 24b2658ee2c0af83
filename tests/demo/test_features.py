import numpy as np
import pytest

from clef.demo.features import brow_course, lids, mouth_contours
from clef.demo.identity import random_identity


@pytest.fixture(params=range(5))
def person(request):
    return random_identity(np.random.default_rng(request.param), woman=request.param % 2 == 0)


def shape(person, units, jaw=0.0):
    rim, inner_upper, inner_lower, closed = mouth_contours(person, units, jaw)
    middle = len(closed) // 2
    return {
        "width": np.ptp(closed[:, 0]),
        "corner": closed[0, 1],
        "middle": closed[middle, 1],
        "upper": (inner_upper - rim[: len(rim) // 2])[middle, 1],
        "lower": (rim[len(rim) // 2 :][::-1] - inner_lower)[middle, 1],
        "upper_edge": rim[middle, 1],
        "gap": (inner_lower - inner_upper)[middle, 1],
    }


def test_smile_lifts_and_spreads_the_corners(person):
    rest, smile = shape(person, {}), shape(person, {12: 1.0})
    assert smile["corner"] < rest["corner"] - 5
    assert smile["width"] > rest["width"] + 8


def test_15_lowers_the_corners(person):
    assert shape(person, {15: 1.0})["corner"] > shape(person, {})["corner"] + 5


def test_10_raises_the_upper_lip_and_leaves_the_corners(person):
    rest, raised = shape(person, {}), shape(person, {10: 1.0})
    assert raised["upper_edge"] < rest["upper_edge"] - 3
    assert raised["corner"] == pytest.approx(rest["corner"])


def test_17_pushes_the_lower_lip_up(person):
    assert shape(person, {17: 1.0})["middle"] < shape(person, {})["middle"] - 3


def test_23_narrows_and_24_only_thins(person):
    rest, tight, pressed = shape(person, {}), shape(person, {23: 1.0}), shape(person, {24: 1.0})
    assert tight["width"] < rest["width"] - 12
    assert pressed["width"] == pytest.approx(rest["width"])
    for lips in (tight, pressed):
        assert lips["upper"] < 0.6 * rest["upper"]
        assert lips["lower"] < 0.6 * rest["lower"]


def test_speech_opens_the_mouth_unless_the_lips_are_pressed(person):
    assert shape(person, {}, jaw=0.6)["gap"] > 6
    assert shape(person, {24: 1.0}, jaw=0.6)["gap"] < 1.5


def aperture(person, units, blink=0.0, side=1):
    over, under = lids(person, units, blink, side)
    return (under - over)[:, 1].max()


def test_7_narrows_the_eye_from_both_sides_and_6_from_below(person):
    over, under = lids(person, {}, 0.0, 1)
    tight_over, tight_under = lids(person, {7: 1.0}, 0.0, 1)
    cheek_over, cheek_under = lids(person, {6: 1.0}, 0.0, 1)
    middle = len(over) // 2
    assert tight_over[middle, 1] > over[middle, 1] + 2
    assert tight_under[middle, 1] < under[middle, 1] - 2
    assert cheek_under[middle, 1] < under[middle, 1] - 2
    assert cheek_over[middle, 1] == pytest.approx(over[middle, 1], abs=1)
    assert aperture(person, {7: 1.0}) < 0.6 * aperture(person, {})


def test_eyes_open_wide_and_shut(person):
    assert aperture(person, {5: 1.0}) > 1.2 * aperture(person, {})
    assert aperture(person, {}, blink=1.0) < 1


@pytest.mark.parametrize("side", [-1, 1])
def test_brows_rise_at_their_ends_and_come_together(person, side):
    rest, inner, outer, lower = (brow_course(person, units, side)[0] for units in ({}, {1: 1.0}, {2: 1.0}, {4: 1.0}))
    assert inner[0, 1] < rest[0, 1] - 6
    assert inner[-1, 1] == pytest.approx(rest[-1, 1])
    assert outer[-2, 1] < rest[-2, 1] - 6
    assert outer[0, 1] == pytest.approx(rest[0, 1])
    assert lower[0, 1] > rest[0, 1] + 5
    assert abs(lower[0, 0] - 160) < abs(rest[0, 0] - 160) - 3
