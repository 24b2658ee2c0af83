import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from clef.evaluation.fold.metrics import confusion_counts, f1
from clef.evaluation.fold.threshold_tuning import Tuning, log_loss, temper, tune


def calibrated(seed: int, frames: int = 400):
    """Logits of two labels, and truth drawn from their probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (frames, 2))
    return (random.random(logits.shape) < expit(logits)).astype(float), logits


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_no_other_threshold_of_the_grid_is_better_on_the_held_out_frames(seed):
    truth, logits = calibrated(seed, frames=80)
    truth[::7] = np.nan
    probability = expit(logits - 1)
    probability[::5] = np.nan
    tuning = tune(truth, probability, 0.5)
    tuned = f1(tuning.counts(truth, probability))
    for threshold in np.arange(1, 100) / 100:
        other = confusion_counts(truth, temper(probability, tuning.temperature), [threshold])[0]
        assert (f1(other) <= tuned + 1e-12).all()


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor_of_the_logits(factor):
    truth, logits = calibrated(0, frames=40_000)
    probability = expit(factor * logits)
    temperature = tune(truth, probability, 0.5).temperature
    assert temperature == pytest.approx(factor, rel=0.05)
    assert log_loss(truth, temper(probability, temperature)) <= log_loss(truth, probability)


@pytest.mark.parametrize("value", [0, np.nan], ids=["never present", "never known"])
def test_a_label_without_positives_keeps_the_threshold_of_the_run(value):
    truth, logits = calibrated(1)
    truth[:, 1] = value
    tuning = tune(truth, expit(logits), 0.37)
    assert tuning.thresholds[1] == 0.37
    assert tuning.frames == len(truth)


def test_the_nearest_of_equally_good_thresholds_is_chosen():
    truth = np.array([[1.0], [0.0]] * 50)
    for probability in (np.array([[0.9], [0.1]] * 50), np.full((100, 1), np.nan)):
        assert tune(truth, probability, 0.5).thresholds[0] == 0.5


def test_a_frame_without_a_crop_stays_absent_and_probabilities_of_0_and_1_are_allowed():
    truth, probability = np.array([[1.0], [1.0], [0.0]]), np.array([[np.nan], [1.0], [0.0]])
    assert np.isnan(temper(probability, 2.0)).ravel().tolist() == [True, False, False]
    assert Tuning(2.0, np.array([0.0]), 3).counts(truth, probability).tolist() == [[1, 1, 1, 0]]
