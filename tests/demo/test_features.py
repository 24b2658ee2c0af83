import numpy as np
import pytest

from clef.demo.features import brow_course, lids, mouth_contours
from clef.demo.identity import random_identity


@pytest.fixture(params=range(5))
def person(request):
    return random_identity(np.random.default_rng(request.param), woman=request.param % 2 == 0)


def measure(person, units, jaw=0.0, blink=0.0, side=1):
    """Widths, heights and positions of mouth, eye and brow, which point down."""
    rim, inner_upper, inner_lower, closed = mouth_contours(person, units, jaw)
    over, under = lids(person, units, blink, side)
    brow, _ = brow_course(person, units, side)
    middle = len(closed) // 2
    return {
        "width": np.ptp(closed[:, 0]),
        "corner": closed[0, 1],
        "middle": closed[middle, 1],
        "upper lip": (inner_upper - rim[: len(rim) // 2])[middle, 1],
        "lower lip": (rim[len(rim) // 2 :][::-1] - inner_lower)[middle, 1],
        "upper edge": rim[middle, 1],
        "upper lid": over[len(over) // 2, 1],
        "lower lid": under[len(under) // 2, 1],
        "inner brow": brow[0, 1],
        "outer brow": brow[-2, 1],
        "brow distance": abs(brow[0, 0] - 160),
    }


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("number", "changed", "same"),
    [
        (1, {"inner brow": -6}, ["outer brow"]),
        (2, {"outer brow": -6}, ["inner brow"]),
        (4, {"inner brow": 5, "brow distance": -3}, []),
        (6, {"lower lid": -2}, ["upper lid"]),
        (7, {"lower lid": -2, "upper lid": 2}, []),
        (10, {"upper edge": -3}, ["corner"]),
        (12, {"corner": -5, "width": 8}, []),
        (15, {"corner": 5}, []),
        (17, {"middle": -3}, []),
        (23, {"width": -12, "upper lip": -1.5, "lower lip": -1.5}, []),
        (24, {"upper lip": -1.5, "lower lip": -1.5}, ["width"]),
    ],
)
def test_each_action_unit_moves_its_features(person, side, number, changed, same):
    rest, moved = measure(person, {}, side=side), measure(person, {number: 1.0}, side=side)
    for name, pixels in changed.items():
        assert (moved[name] - rest[name]) / pixels > 1, name
    for name in same:
        assert moved[name] == pytest.approx(rest[name], abs=1.6), name


def test_speech_opens_the_mouth_and_a_blink_shuts_the_eyes(person):
    for units, least, most in (({}, 6, 20), ({24: 1.0}, -1, 1.5)):
        _, inner_upper, inner_lower, _ = mouth_contours(person, units, 0.6)
        assert least < (inner_lower - inner_upper)[:, 1].max() < most
    shut_over, shut_under = lids(person, {}, 1.0, 1)
    assert (shut_under - shut_over)[:, 1].max() < 1
