import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_score, recall_score

from clef.evaluation.fold.threshold_counts import THRESHOLDS, counts_by_threshold
from clef.evaluation.run.curves import Calibration, calibration, precision_recall, threshold_counts
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables


@pytest.fixture(params=["action units", "expressions"])
def tables(request):
    """Two folds of two seeds each; expressions have one fold."""
    if request.param == "expressions":
        return [expression_tables(seed) for seed in (0, 1)]
    return [action_unit_tables(seed, *subjects) for seed in (0, 1) for subjects in FOLDS]


@pytest.fixture
def counts(tables):
    return threshold_counts([fold.score() for fold in tables])


@pytest.fixture
def frames(tables):
    """Truth and probability of all frames with a known label, (frames, labels)."""
    arrays = [fold.arrays() for fold in tables]
    return np.concatenate([fold.truth for fold in arrays]), np.concatenate([fold.probability for fold in arrays])


def test_precision_and_recall_are_those_of_all_frames_at_each_threshold(frames, counts):
    precision, recall = precision_recall(counts)
    for label, (truth, probability) in enumerate(zip(*(values.T for values in frames), strict=True)):
        known = ~np.isnan(truth)
        for step in range(0, len(THRESHOLDS), 7):
            predicted = np.nan_to_num(probability[known], nan=-1) >= THRESHOLDS[step]
            expected = precision_score(truth[known], predicted, zero_division=np.nan)
            assert precision[label, step] == pytest.approx(expected, nan_ok=True)
            assert recall[label, step] == pytest.approx(recall_score(truth[known], predicted))


def test_calibration_is_that_of_the_frames_with_a_crop(frames, counts):
    found = calibration(counts)
    errors = found.error()
    for label, (truth, probability) in enumerate(zip(*(values.T for values in frames), strict=True)):
        known = ~np.isnan(truth) & ~np.isnan(probability)
        truth, probability = truth[known], probability[known].astype(float)
        filled = found.frames[label] > 0
        observed, predicted = calibration_curve(truth, probability, n_bins=10)
        assert found.observed[label, filled] == pytest.approx(observed)
        assert found.predicted[label, filled] == pytest.approx(predicted, abs=0.005)
        numbers = pd.Series(np.minimum(probability * 10, 9).astype(int)).value_counts()
        assert dict(zip(np.flatnonzero(filled), found.frames[label, filled], strict=True)) == numbers.to_dict()
        expected = sum(numbers[i] * abs(observed[n] - predicted[n]) for n, i in enumerate(np.flatnonzero(filled)))
        assert errors[label] == pytest.approx(expected / known.sum(), abs=0.005)


def test_values_on_the_edges_of_bins_and_empty_bins():
    truth = np.array([[0.0], [0.0], [1.0], [1.0], [np.nan]])
    probability = np.array([[0.0], [0.3], [0.3], [1.0], [0.5]], dtype=np.float32)
    rows = {"a": {"positives": 2, "frames": 4}}
    metrics = {"labels": ["a"], "rows": rows, "by_threshold": counts_by_threshold(truth, probability)}
    found = calibration(threshold_counts([metrics]))
    assert found.frames.tolist() == [[1, 0, 0, 2, 0, 0, 0, 0, 0, 1]]
    assert np.nan_to_num(found.observed, nan=-1).tolist() == [[0, -1, -1, 0.5, -1, -1, -1, -1, -1, 1]]
    assert found.predicted[0, [0, 3, 9]] == pytest.approx([0.00005, 0.305, 0.99995])


def test_a_perfectly_calibrated_model_has_no_error():
    shares, frames = np.array([[0.1, np.nan, 0.9]]), np.array([[5, 0, 3]])
    assert Calibration(shares, shares, frames).error() == 0
    assert Calibration(shares, 1 - shares, frames).error() == pytest.approx(0.8)
    assert np.isnan(Calibration(shares, shares, 0 * frames).error())
