import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clef.evaluation.fold.baselines import ActivityOnly
from clef.evaluation.fold.metrics import always_positive_f1, confusion_counts, f1


@st.composite
def labelled(draw, labels=2):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(1, 60))
    activities = ["T1", "T2", "T3", None] if draw(st.booleans()) else ["T1", "T2", "T3"]
    activity = rng.choice(np.array(activities, dtype=object), size=number)
    truth = (rng.random((number, labels)) < rng.random()).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    return truth, activity


def test_rates_come_from_the_training_activities():
    truth = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1], [0, 1], [0, np.nan]], dtype=float)
    activity = np.array(["T1", "T1", "T1", "T2", "T2", None], dtype=object)
    baseline = ActivityOnly.fit(truth, activity)
    np.testing.assert_allclose(baseline.rates["T1"], [2 / 3, 0])
    np.testing.assert_allclose(baseline.rates["T2"], [0, 1])
    np.testing.assert_allclose(baseline.overall, [2 / 6, 2 / 4])
    unseen = np.array(["T2", "T9", None], dtype=object)
    np.testing.assert_allclose(baseline.scores(unseen), [[0, 1], [1 / 3, 1 / 2], [1 / 3, 1 / 2]])
    np.testing.assert_allclose(baseline.thresholds, [2 / 3, 1 / 2])  # the lowest of equally good thresholds


@given(labelled())
def test_no_rule_based_on_the_activity_is_better_on_the_training_frames(case):
    truth, activity = case
    baseline = ActivityOnly.fit(truth, activity)
    reached = f1(confusion_counts(truth, baseline.predictions(activity), [0.5])[0])
    floor = always_positive_f1(baseline.overall)
    known = ~np.isnan(floor)
    assert (reached[known] >= floor[known] - 1e-12).all()
    if any(name is None for name in activity):
        return
    for subset in range(2**3):
        chosen = [name for bit, name in enumerate(("T1", "T2", "T3")) if subset >> bit & 1]
        score = np.repeat(np.isin(activity.astype(str), chosen).astype(float)[:, None], truth.shape[1], axis=1)
        assert (reached >= f1(confusion_counts(truth, score, [0.5])[0]) - 1e-12)[known].all()
