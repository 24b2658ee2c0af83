import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from clef.evaluation.fold.metrics import confusion_counts, f1
from clef.evaluation.fold.threshold_tuning import TEMPERATURES, Tuning, log_loss, tune


def drawn(seed: int, frames: int = 400, labels: int = 2):
    """Truth drawn from its own probabilities: they are calibrated."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (frames, labels))
    return (random.random((frames, labels)) < expit(logits)).astype(float), logits


def test_a_threshold_by_hand():
    truth = np.array([[1.0], [1.0], [0.0], [0.0], [np.nan]])
    probability = np.array([[0.30], [0.28], [0.10], [0.05], [0.99]])
    tuning = tune(truth, probability, 0.5)
    low, high = tuning.temper(np.array([[0.10], [0.28]]))[:, 0]
    assert low < tuning.thresholds[0] <= high
    assert f1(tuning.counts(truth, probability))[0] == 1
    assert f1(confusion_counts(truth, probability, [0.5])[0])[0] == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_no_other_threshold_of_the_grid_is_better_on_the_held_out_frames(seed):
    truth, logits = drawn(seed, frames=80)
    truth[::7] = np.nan
    probability = expit(logits - 1)
    probability[::5] = np.nan
    tuning = tune(truth, probability, 0.5)
    tuned = f1(tuning.counts(truth, probability))
    tempered = tuning.temper(probability)
    for threshold in np.arange(1, 100) / 100:
        assert (f1(confusion_counts(truth, tempered, [threshold])[0]) <= tuned + 1e-12).all()


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_what_the_logits_were_multiplied_with(factor):
    truth, logits = drawn(0, frames=40_000)
    assert tune(truth, expit(factor * logits), 0.5).temperature == pytest.approx(factor, rel=0.05)


def test_the_temperature_never_raises_the_log_loss_of_the_held_out_frames():
    truth, logits = drawn(3)
    probability = expit(3 * logits)
    tempered = tune(truth, probability, 0.5).temper(probability)
    assert log_loss(truth, tempered) < log_loss(truth, probability)


def test_a_label_that_nobody_held_out_shows_keeps_the_threshold_of_the_run():
    truth, logits = drawn(1)
    truth[:, 1] = np.where(np.arange(len(truth)) % 2, 0, np.nan)
    assert tune(truth, expit(logits), 0.37).thresholds[1] == 0.37


def test_a_label_that_is_not_known_of_anybody_keeps_the_threshold_of_the_run():
    truth, logits = drawn(1)
    truth[:, 1] = np.nan
    tuning = tune(truth, expit(logits), 0.37)
    assert tuning.thresholds[1] == 0.37
    assert tuning.frames == len(truth)


def test_among_equals_the_threshold_nearest_to_that_of_the_run():
    truth = np.array([[1.0], [0.0]] * 50)
    probability = np.array([[0.9], [0.1]] * 50)
    assert tune(truth, probability, 0.5).thresholds[0] == 0.5


def test_a_frame_without_a_crop_stays_absent_and_probabilities_of_0_and_1_are_allowed():
    tuning = Tuning(2.0, np.array([0.0]), 3)
    truth, probability = np.array([[1.0], [1.0], [0.0]]), np.array([[np.nan], [1.0], [0.0]])
    assert np.isnan(tuning.temper(probability)[0, 0])
    assert tuning.counts(truth, probability).tolist() == [[1, 1, 1, 0]]


def test_nothing_predicted_at_all_keeps_the_threshold_of_the_run():
    tuning = tune(np.array([[1.0], [0.0]]), np.full((2, 1), np.nan), 0.5)
    assert TEMPERATURES[0] <= tuning.temperature <= TEMPERATURES[1]
    assert tuning.thresholds[0] == 0.5


def test_log_loss_by_hand():
    truth = np.array([[1.0, 0.0], [np.nan, 1.0]])
    probability = np.array([[0.5, 0.25], [0.1, np.nan]])
    assert log_loss(truth, probability) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
