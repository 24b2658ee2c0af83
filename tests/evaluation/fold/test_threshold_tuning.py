from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from clef.evaluation.fold.action_units import score_action_units
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


def test_the_log_loss_is_the_one_of_scikit_learn_for_known_labels_of_frames_with_a_crop():
    truth, logits = calibrated(2)
    probability = expit(logits)
    truth[::7, 0], probability[::5] = np.nan, np.nan
    known = ~np.isnan(truth) & ~np.isnan(probability)
    assert log_loss(truth, probability) == pytest.approx(sklearn.metrics.log_loss(truth[known], probability[known]))


def test_a_temperature_brings_the_calibration_error_of_overconfident_predictions_near_0(tables):
    arrays = tables.arrays()
    truth, logits = calibrated(3, frames=4000)
    tuning = tune(truth, expit(4 * logits), 0.5)
    tuned = score_action_units(_with(arrays, truth, expit(4 * logits)), ["AU01", "AU02"], 0.5, tuning)["tuned"]
    assert tuned["calibration_error"] > 0.08
    assert tuned["calibration_error_tempered"] < 0.03
    assert tuned["log_loss_tempered"] < tuned["log_loss"]


def _with(arrays, truth, probability):
    """These frames, of one subject."""
    columns = ("subject", "activity", "sequence", "train_activity")
    names = dict.fromkeys(columns, np.full(len(truth), "F001", dtype=object))
    return replace(arrays, truth=truth, probability=probability, train_truth=truth, epochs={}, **names)


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
