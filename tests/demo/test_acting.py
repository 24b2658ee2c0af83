import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clef.demo.acting import NOT_CODED, Habits, Performance, perform, random_habits
from clef.demo.behaviour import ACTION_UNITS, RATES, UPPER_FACE

UPPER = np.array([number in UPPER_FACE for number in ACTION_UNITS])


def play(seed: int = 0, activity: str = "joke", frames: int = 175, share: float = 0.45, event=None) -> Performance:
    rng = np.random.default_rng(seed)
    return perform(rng, activity, random_habits(rng), frames, share, event)


@given(st.integers(0, 2**32), st.sampled_from(sorted(RATES)), st.sampled_from([None, "turn", "hand", "mouth"]))
@settings(max_examples=25)
def test_only_action_units_depend_on_the_activity(seed, activity, event):
    one, other = play(seed, "joke", event=event), play(seed, activity, event=event)
    movements = [[{**dataclasses.asdict(pose), "units": None} for pose in clip.poses] for clip in (one, other)]
    assert movements[0] == movements[1]
    assert one.window == other.window
    assert np.array_equal(one.hand, other.hand)
    assert np.array_equal(one.uncodable, other.uncodable)


@pytest.mark.parametrize("activity", sorted(RATES))
def test_rates_are_those_of_the_table(activity):
    rng = np.random.default_rng(1)
    present = [perform(rng, activity, random_habits(rng), 100, 1, None).present.mean(axis=0) for _ in range(350)]
    np.testing.assert_allclose(np.mean(present, axis=0), RATES[activity], atol=0.06)


def test_action_units_are_correlated_as_in_real_faces():
    rng = np.random.default_rng(2)
    plain = Habits(np.zeros(len(ACTION_UNITS)), np.ones(len(ACTION_UNITS)))
    present = np.vstack([perform(rng, "cold_water", plain, 60, 1, None).present for _ in range(500)])

    def correlation(one: int, other: int) -> float:
        return np.corrcoef(*(present[:, ACTION_UNITS.index(number)] for number in (one, other)))[0, 1]

    assert min(correlation(6, 12), correlation(1, 2), correlation(4, 7), correlation(15, 17)) > 0.2
    assert correlation(10, 24) < -0.1


def test_a_turned_head_or_a_covered_face_cannot_be_coded_and_a_hand_leaves_the_upper_face_coded():
    performance = play(4, event="turn")
    yaw = np.abs([pose.yaw for pose in performance.poses])
    assert yaw.max() > 2
    assert performance.uncodable[yaw > 0.5].all()
    assert (performance.codes[performance.uncodable] == NOT_CODED).all()
    assert not performance.uncodable[yaw < 0.4].any()
    performance = play(6, event="hand")
    assert (performance.hand > 0.95).any()
    assert performance.uncodable[performance.hand > 0.95].all()
    performance = play(5, event="mouth")
    covered = performance.hand > 0.45
    assert covered.any()
    assert not performance.uncodable.any()
    assert (performance.codes[covered][:, ~UPPER] == NOT_CODED).all()
    assert (performance.codes[:, UPPER] != NOT_CODED).all()


@given(st.integers(0, 1000), st.integers(2, 60), st.floats(0, 1))
@settings(max_examples=40)
def test_the_labelled_window_is_inside_the_clip(seed, frames, share):
    start, stop = play(seed, frames=frames, share=share).window
    assert 0 <= start <= stop <= frames
    assert abs((stop - start) - share * frames) <= 1
