import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.evaluation.fold.baselines import ActivityOnly
from clef.evaluation.fold.metrics import always_positive_f1, confusion_counts, f1


@st.composite
def labelled(draw, labels=2):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(1, 60))
    activity = rng.choice(np.array(["T1", "T2", "T3", None], dtype=object), size=number)
    truth = (rng.random((number, labels)) < rng.random()).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    return truth, activity


def test_rates_are_those_of_the_training_activities():
    truth = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1], [0, 1], [0, np.nan]], dtype=float)
    activity = np.array(["T1", "T1", "T1", "T2", "T2", None], dtype=object)
    baseline = ActivityOnly.fit(truth, activity)
    np.testing.assert_allclose(baseline.rates["T1"], [2 / 3, 0])
    np.testing.assert_allclose(baseline.rates["T2"], [0, 1])
    np.testing.assert_allclose(baseline.overall, [2 / 6, 2 / 4])
    unseen = np.array(["T2", "T9", None], dtype=object)
    np.testing.assert_allclose(baseline.scores(unseen), [[0, 1], [1 / 3, 1 / 2], [1 / 3, 1 / 2]])
    np.testing.assert_allclose(baseline.thresholds, [2 / 3, 1 / 2])  # of the equal ones, the lowest


@given(labelled())
def test_no_rule_on_the_activity_does_better_on_the_training_frames(case):
    """The F1-best rule on groups thresholds their rates, so none of the sets of groups may beat it."""
    truth, activity = case
    baseline = ActivityOnly.fit(truth, activity)
    reached = f1(baseline.counts(truth, activity))
    groups = ["T1", "T2", "T3"]
    for label in range(truth.shape[1]):
        if np.isnan(truth[:, label]).all() or any(name is None for name in activity):
            continue
        for chosen in range(2 ** len(groups)):
            wanted = [name for bit, name in enumerate(groups) if chosen >> bit & 1]
            score = np.isin(activity.astype(str), wanted).astype(float)[:, None]
            assert reached[label] >= f1(confusion_counts(truth[:, [label]], score, [0.5]))[0, 0] - 1e-12


@given(labelled())
def test_it_is_at_least_the_always_positive_floor_on_the_training_frames(case):
    truth, activity = case
    baseline = ActivityOnly.fit(truth, activity)
    floor = always_positive_f1(baseline.overall)
    reached = f1(baseline.counts(truth, activity))
    known = ~np.isnan(floor)
    assert (reached[known] >= floor[known] - 1e-12).all()


def test_test_labels_do_not_take_part():
    rng = np.random.default_rng(1)
    activity = rng.choice(np.array(["T1", "T2"], dtype=object), size=200)
    truth = (rng.random((200, 1)) < np.where(activity == "T1", 0.9, 0.2)[:, None]).astype(float)
    baseline = ActivityOnly.fit(truth, activity)
    counts = baseline.counts(1 - truth, activity)  # test subjects who do the opposite
    assert f1(counts)[0] == pytest.approx(
        f1(confusion_counts(1 - truth, baseline.scores(activity), [float(baseline.thresholds[0])])[0])[0]
    )
    assert f1(counts)[0] < 0.3
