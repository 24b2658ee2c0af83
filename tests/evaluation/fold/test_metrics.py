import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from clef.evaluation.fold import metrics
from clef.evaluation.fold.metrics import FN, FP, TN, TP, confusion_counts


@st.composite
def frames(draw, labels=3, most=40):
    """Truth with unknown labels, probabilities with frames that have no crop."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(1, most))
    truth = rng.integers(0, 2, size=(number, labels)).astype(float)
    truth[rng.random(truth.shape) < draw(st.sampled_from([0, 0.2, 0.9]))] = np.nan
    probability = rng.integers(0, 11, size=truth.shape) / 10  # ties, and values equal to a threshold
    probability[rng.random(number) < draw(st.sampled_from([0, 0.3]))] = np.nan
    return truth, probability


@given(frames(), st.sampled_from([[0.5], [0.01, 0.3, 0.99], [0.0, 0.5]]))
def test_counts_agree_with_a_plain_loop(case, thresholds):
    truth, probability = case
    expected = np.zeros((len(thresholds), truth.shape[1], 4), dtype=int)
    for step, threshold in enumerate(thresholds):
        for frame in range(len(truth)):
            for label in range(truth.shape[1]):
                if np.isnan(truth[frame, label]):
                    continue
                predicted = bool(probability[frame, label] >= threshold)  # never without a crop
                cell = {(True, 1): TP, (True, 0): FP, (False, 1): FN, (False, 0): TN}
                expected[step, label, cell[predicted, truth[frame, label]]] += 1
    np.testing.assert_array_equal(confusion_counts(truth, probability, thresholds), expected)


@given(frames())
def test_rates_agree_with_scikit_learn(case):
    truth, probability = case
    counts = confusion_counts(truth, probability, [0.5])[0]
    rates = np.stack([metrics.f1(counts), metrics.precision(counts), metrics.recall(counts), metrics.base_rate(counts)])
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        present, predicted = truth[known, label], np.nan_to_num(probability[known, label], nan=0.0) >= 0.5
        expected = [np.nan] * 4
        if known.any():
            expected = [
                sklearn.f1_score(present, predicted, zero_division=0),
                sklearn.precision_score(present, predicted, zero_division=0),
                sklearn.recall_score(present, predicted, zero_division=np.nan),
                present.mean(),
            ]
        assert rates[:, label] == pytest.approx(expected, nan_ok=True)


@given(frames())
def test_ranking_metrics_count_every_pair(case):
    """The area under the curve is the share of (present, absent) pairs in the right order; ties count half."""
    truth, probability = case
    filled = np.nan_to_num(probability, nan=0.0)
    areas, precisions = metrics.auc(truth, probability), metrics.average_precision(truth, probability)
    for label in range(truth.shape[1]):
        present, absent = filled[truth[:, label] == 1, label], filled[truth[:, label] == 0, label]
        if not len(present) or not len(absent):
            assert np.isnan(areas[label])
            assert np.isnan(precisions[label])
            continue
        difference = present[:, None] - absent[None]
        assert areas[label] == pytest.approx((difference > 0).mean() + (difference == 0).mean() / 2)
        expected, last_recall = 0.0, 0.0
        for threshold in sorted(set(filled[~np.isnan(truth[:, label]), label]), reverse=True):
            found = (present >= threshold).sum()
            expected += (found / len(present) - last_recall) * found / (found + (absent >= threshold).sum())
            last_recall = found / len(present)
        assert precisions[label] == pytest.approx(expected)


@given(frames())
def test_the_calibration_error_agrees_with_a_plain_loop(case):
    truth, probability = case
    found = metrics.calibration_error(truth, probability)
    for label in range(truth.shape[1]):
        bins = [[] for _ in range(10)]
        for present, value in zip(truth[:, label], probability[:, label], strict=True):
            if not np.isnan(present) and not np.isnan(value):
                bins[min(int(round(10 * value, 6)), 9)].append((present, value))
        number = sum(map(len, bins))
        distances = [len(pairs) * abs(np.subtract(*np.mean(pairs, axis=0))) for pairs in bins if pairs]
        assert found[label] == pytest.approx(sum(distances) / number if number else np.nan, nan_ok=True)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_accuracies_agree_with_scikit_learn(seed, classes):
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, classes, size=(2, 30))
    true[:classes] = range(classes)
    counts = confusion_counts(np.eye(classes)[true], np.eye(classes)[predicted], [0.5])[0]
    assert metrics.accuracy(counts) == pytest.approx(sklearn.accuracy_score(true, predicted))
    assert metrics.mean_class_accuracy(counts) == pytest.approx(sklearn.balanced_accuracy_score(true, predicted))
    rows = metrics.with_totals(metrics.f1(counts), counts, expressions=True)
    expected = sklearn.f1_score(true, predicted, average=None, zero_division=0)
    totals = expected.mean(), metrics.mean_class_accuracy(counts), metrics.accuracy(counts)
    np.testing.assert_allclose(rows, [*expected, *totals])


def test_a_class_that_never_occurs_has_no_accuracy():
    counts = confusion_counts(np.eye(3)[[0, 0, 1]], np.eye(3)[[0, 2, 1]], [0.5])[0]
    assert metrics.mean_class_accuracy(counts) == pytest.approx((0.5 + 1) / 2)


@given(frames(), st.integers(0, 10_000))
def test_coverage_and_f1_within_activities_agree_with_plain_loops(case, seed):
    truth, probability = case
    activity = np.random.default_rng(seed).choice(np.array(["T1", "T2", None], dtype=object), size=len(truth))
    coverage = metrics.coverage(truth, probability)
    within = metrics.within_activity_f1(truth, probability, activity, 0.5)
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        with_crop = [not np.isnan(value) for value in probability[known, label]]
        assert coverage[label] == pytest.approx(np.mean(with_crop) if with_crop else np.nan, nan_ok=True)
        scores = []
        for name in ("T1", "T2"):
            rows = known & (activity == name)
            if (truth[rows, label] == 1).any():
                predicted = np.nan_to_num(probability[rows, label]) >= 0.5
                scores.append(sklearn.f1_score(truth[rows, label], predicted, zero_division=0))
        assert within[label] == pytest.approx(np.mean(scores) if scores else np.nan, nan_ok=True)


@given(frames())
def test_the_floor_is_the_f1_of_always_predicting(case):
    truth, _ = case
    counts = confusion_counts(truth, np.ones_like(truth), [0.5])[0]
    np.testing.assert_allclose(metrics.always_positive_f1(metrics.base_rate(counts)), metrics.f1(counts))


def test_f1_within_activity_averages_over_activities_in_which_the_label_occurs():
    truth = np.array([[1, 1], [0, 0], [1, 0], [1, 0], [0, 0], [1, 1]], dtype=float)
    probability = np.array([[0.9, 0.9], [0.9, 0.1], [0.9, 0.9], [0.1, 0.1], [0.9, 0.9], [0.9, 0.9]])
    activity = np.array(["T1", "T1", "T2", "T2", "T3", None], dtype=object)
    # label 0: T1 2/3, T2 2/3, never in T3; label 1: T1 1, never in T2 and T3; the last frame has no activity
    np.testing.assert_allclose(metrics.within_activity_f1(truth, probability, activity, 0.5), [2 / 3, 1.0])
    nowhere = np.full(6, None, dtype=object)
    assert np.isnan(metrics.within_activity_f1(truth, probability, nowhere, 0.5)).all()
