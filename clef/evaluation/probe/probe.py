"""Linear probes: what a linear classifier reads from frozen features. Pure functions of arrays.

The classifier is scikit-learn's LogisticRegression (solver L-BFGS, no class weights, multinomial for more than two
classes) on features that are standardised on its training frames. It minimises the mean loss of these frames plus
PENALTY / 2 times the squared length of the weights, so that more frames of the same clips do not weaken the penalty.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from clef.evaluation.fold.metrics import Floats, any_known, auc, mean_known

PENALTY = 0.01
SUBJECT_GROUPS = 5


class Reading(NamedTuple):
    """A score of a probe and its chance level, from 0 to 1; NaN if the frames do not allow the probe."""

    score: float
    chance: float


UNDEFINED = Reading(np.nan, np.nan)


def read_identity(features: Floats, subject: NDArray, activity: NDArray) -> Reading:
    """Accuracy of the subject, trained on the frames of every second activity and tested on the others.

    The mean of this and the reverse direction, for subjects with frames in both halves. Chance is the share of the most
    frequent subject in the tested frames. `subject` and `activity` are (frames,) of str.
    """
    first = np.isin(activity, np.unique(activity)[::2])
    in_both = np.isin(subject, np.intersect1d(subject[first], subject[~first]))
    if len(np.unique(subject[in_both])) < 2:
        return UNDEFINED
    readings = []
    for train, test in ((in_both & first, in_both & ~first), (in_both & ~first, in_both & first)):
        correct = _fit(features[train], subject[train]).predict(features[test]) == subject[test]
        readings.append((correct.mean(), _most_frequent(subject[test])))
    return Reading(*np.mean(readings, axis=0).tolist())


def read_activity(features: Floats, subject: NDArray, activity: NDArray) -> Reading:
    """Accuracy of the activity of subjects that the classifier has not seen, over all frames.

    Every subject is left out once, or, of more than five, one of five groups. Chance is the share of the most frequent
    activity.
    """
    groups = np.unique(subject, return_inverse=True)[1] % SUBJECT_GROUPS  # (frame,)
    if len(np.unique(groups)) < 2:
        return UNDEFINED
    correct = np.empty(len(activity), dtype=bool)
    for group in np.unique(groups):
        train, test = groups != group, groups == group
        if len(np.unique(activity[train])) < 2:
            return UNDEFINED
        correct[test] = _fit(features[train], activity[train]).predict(features[test]) == activity[test]
    return Reading(float(correct.mean()), _most_frequent(activity))


def read_action_units(train: Floats, train_truth: Floats, test: Floats, test_truth: Floats) -> Reading:
    """Mean area under the ROC curve of one classifier per label.

    `train` and `test` are features (frames, dim); truths are (frames, labels) with 1, 0, and NaN for unknown. Labels of
    one value only, in training or in test, are left out.
    """
    scores = np.full(test_truth.shape, np.nan)
    for label, present in enumerate(train_truth.T):
        known = ~np.isnan(present)
        if len(np.unique(present[known])) == 2:
            scores[:, label] = _fit(train[known], present[known]).decision_function(test)
    trained = ~np.isnan(scores).any(axis=0)
    return Reading(float(mean_known(auc(test_truth[:, trained], scores[:, trained]))), 0.5)


def read_expression(train: Floats, train_truth: Floats, test: Floats, test_truth: Floats) -> Reading:
    """Accuracy of the class. Arrays as in `read_action_units`, truths one-hot; chance is the most frequent class."""
    train_known, known = any_known(train_truth), any_known(test_truth)
    classes, tested = train_truth[train_known].argmax(axis=1), test_truth[known].argmax(axis=1)
    if len(np.unique(classes)) < 2 or not len(tested):
        return UNDEFINED
    correct = _fit(train[train_known], classes).predict(test[known]) == tested
    return Reading(float(correct.mean()), _most_frequent(tested))


def _fit(features: Floats, classes: NDArray) -> Pipeline:
    strength = 1 / (PENALTY * len(features))  # scikit-learn's C weighs the sum of the losses, not their mean
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return classifier.fit(features.astype(np.float64), classes)


def _most_frequent(classes: NDArray) -> float:
    """Share of the most frequent class."""
    return float(np.unique(classes, return_counts=True)[1].max() / len(classes))
