"""The probes on made-up features, and against plain versions of the classifier and the splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from clef.evaluation.probe.probe import (
    PENALTY,
    read_action_units,
    read_activity,
    read_expression,
    read_identity,
)

ACTIVITIES = ["T1", "T2", "T3", "T4"]
FRAMES = 6


def clips(subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Subject and activity of each frame; every subject acts every activity."""
    names = [(f"F{number:03d}", name) for number in range(subjects) for name in ACTIVITIES for _ in range(FRAMES)]
    subject, activity = np.array(names, dtype=object).T
    return subject, activity


def coded(*names: np.ndarray, noise: float = 0.1) -> np.ndarray:
    """Features that hold the combination of names as a one-hot code, with noise."""
    joined = np.array(["/".join(each) for each in zip(*names, strict=True)])
    classes, index = np.unique(joined, return_inverse=True)
    return np.eye(len(classes))[index] + noise * np.random.default_rng(0).normal(size=(len(joined), len(classes)))


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 8))


def test_a_planted_identity_is_read_across_activities():
    subject, activity = clips(4)
    assert read_identity(coded(subject), subject, activity) == (1.0, 0.25)


def test_an_identity_that_every_activity_codes_differently_is_not_read():
    """Clips are told apart, subjects are not: trained and tested activities must differ."""
    subject, activity = clips(4)
    assert read_identity(coded(subject, activity), subject, activity).score < 0.5


def test_a_planted_activity_is_read_from_unseen_subjects():
    subject, activity = clips(4)
    assert read_activity(coded(activity), subject, activity) == (1.0, 0.25)


@pytest.mark.parametrize("subjects", [2, 5, 6, 13])
def test_an_activity_that_every_subject_codes_differently_is_not_read(subjects):
    """It would be read if frames of a tested subject were trained on."""
    subject, activity = clips(subjects)
    assert read_activity(coded(subject, activity), subject, activity).score < 0.5


@pytest.mark.parametrize("read", [read_identity, read_activity])
def test_shuffled_names_are_read_at_chance(read):
    draw = np.random.default_rng(1)
    subject, activity = clips(6)
    features = coded(subject, activity)
    scores = [read(features, draw.permutation(subject), draw.permutation(activity)).score for _ in range(10)]
    chance = 1 / 6 if read is read_identity else 1 / 4
    assert np.mean(scores) == pytest.approx(chance, abs=0.04)  # three standard errors of 1440 frames


@pytest.mark.parametrize(("subjects", "groups"), [(3, 3), (7, 5)])
def test_the_activity_from_true_labels_equals_a_plain_loop_over_subjects(subjects, groups):
    subject, activity = clips(subjects)
    rates = np.random.default_rng(2).uniform(0.1, 0.9, (len(ACTIVITIES), 5))
    present = np.random.default_rng(3).uniform(size=(len(subject), 5))
    truth = (present < rates[[ACTIVITIES.index(name) for name in activity]]).astype(float)
    names, right = sorted(set(subject)), 0
    for group in range(groups):
        left_out = np.isin(subject, names[group::5])
        weights, bias, mean, std = plain_softmax(truth[~left_out], activity[~left_out])
        logits = (truth[left_out] - mean) / std @ weights + bias
        right += sum(ACTIVITIES[best] == name for best, name in zip(logits.argmax(1), activity[left_out], strict=True))
    assert read_activity(truth, subject, activity).score == pytest.approx(right / len(subject))


def plain_softmax(features: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Multinomial logistic regression by SciPy; returns weights, biases, and mean and deviation of the features."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    standard = (features - mean) / std
    wanted = np.array([ACTIVITIES.index(name) for name in classes])
    dim, count = features.shape[1], len(ACTIVITIES)

    def loss(flat: np.ndarray) -> float:
        weights, bias = flat[: dim * count].reshape(dim, count), flat[dim * count :]
        logits = standard @ weights + bias
        likelihood = logits[np.arange(len(wanted)), wanted] - np.log(np.exp(logits).sum(axis=1))
        return -likelihood.mean() + PENALTY / 2 * (weights**2).sum()

    found = minimize(loss, np.zeros((dim + 1) * count), method="BFGS").x
    return found[: dim * count].reshape(dim, count), found[dim * count :], mean, std


def test_action_units_are_scored_by_auc_over_the_frames_and_labels_that_are_known():
    draw = np.random.default_rng(4)
    train, test = noise(200, 5), noise(100, 6)
    train_truth, truth = (
        (features[:, :4] + draw.normal(size=(len(features), 4)) > 0).astype(float) for features in (train, test)
    )
    scores = []
    for label in range(2):
        train_truth[draw.permutation(200)[:50], label] = np.nan
        truth[draw.permutation(100)[:30], label] = np.nan
        known, tested = ~np.isnan(train_truth[:, label]), ~np.isnan(truth[:, label])
        mean, std = train[known].mean(axis=0), train[known].std(axis=0)
        signs = 2 * train_truth[known, label] - 1
        standard = (train[known] - mean) / std

        def loss(flat: np.ndarray, standard=standard, signs=signs) -> float:
            margin = signs * (standard @ flat[:-1] + flat[-1])
            return np.logaddexp(0, -margin).mean() + PENALTY / 2 * (flat[:-1] ** 2).sum()

        weights = minimize(loss, np.zeros(9), method="BFGS").x
        scores.append(roc_auc_score(truth[tested, label], (test[tested] - mean) / std @ weights[:-1]))
    train_truth[:, 2] = 0  # no training frame shows it
    truth[:, 3] = 1  # every test frame shows it
    reading = read_action_units(train, train_truth, test, truth)
    assert reading.score == pytest.approx(np.mean(scores), abs=1e-3)
    assert reading.chance == 0.5


def test_action_units_of_shuffled_frames_are_read_at_chance():
    draw = np.random.default_rng(7)
    train, test = noise(400, 8), noise(400, 9)
    truth = (test > 0).astype(float)
    assert read_action_units(train, (train > 0).astype(float), test, truth).score > 0.95
    shuffled = draw.permutation((train > 0).astype(float))
    assert read_action_units(train, shuffled, test, truth).score == pytest.approx(0.5, abs=0.1)


def test_an_expression_is_scored_by_accuracy_over_known_frames():
    classes = np.arange(60) % 3
    truth, features = np.eye(3)[classes], np.eye(3)[classes] + 0.1 * noise(60)[:, :3]
    tested = np.eye(3)[np.repeat([0, 1, 2], [10, 10, 40])]
    tested[:10] = np.nan
    assert read_expression(features, truth, features[:60], tested).chance == pytest.approx(40 / 50)
    assert read_expression(features, truth, features, truth).score == 1
    half_known = np.where((np.arange(60) < 30)[:, None], truth, np.nan)
    assert read_expression(features, half_known, features, half_known) == (1.0, pytest.approx(1 / 3))


def test_what_the_frames_do_not_allow_is_undefined():
    subject, activity = clips(2)
    features, truth = noise(len(subject)), np.full((len(subject), 3), np.nan)
    alone, same = np.full_like(subject, "F001"), np.full_like(activity, "T1")
    of_one_activity_each = np.where(subject == "F000", "T1", "T2")
    for reading in (
        read_identity(features, alone, activity),
        read_identity(features, subject, same),
        read_identity(features, subject, of_one_activity_each),
        read_identity(features[:0], subject[:0], activity[:0]),
        read_activity(features, alone, activity),
        read_activity(features, subject, of_one_activity_each),
        read_activity(features[:0], subject[:0], activity[:0]),
        read_expression(features, truth, features, truth),
    ):
        assert np.isnan(reading).all()
    assert np.isnan(read_action_units(features, truth, features, truth).score)


@settings(max_examples=5)
@given(st.permutations(range(len(ACTIVITIES) * FRAMES * 3)))
def test_the_order_of_frames_and_the_scale_of_features_change_nothing(order):
    subject, activity = clips(3)
    features = coded(activity, noise=1.0)
    for read in (read_identity, read_activity):
        expected = read(features, subject, activity)
        assert read(features, subject, activity) == expected
        assert read(1000 * features[order] + 5, subject[order], activity[order]) == pytest.approx(expected, abs=0.03)
