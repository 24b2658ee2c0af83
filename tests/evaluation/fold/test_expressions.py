from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_score

from clef.evaluation.fold.expressions import one_hot_prediction, score_expressions
from tests.evaluation.conftest import EXPRESSIONS, expression_tables

NO_CROP = 3


@pytest.fixture
def scored():
    tables = expression_tables()
    arrays = tables.arrays()
    return arrays, score_expressions(arrays, tables.labels.names)


def classes(arrays, probability):
    """True and predicted class of each image, counted slowly."""
    predicted = [NO_CROP if np.isnan(row[0]) else max(range(3), key=row.__getitem__) for row in probability]
    return arrays.truth.argmax(axis=1), np.array(predicted)


def test_images_without_a_crop_are_wrong(scored):
    arrays, scores = scored
    true, predicted = classes(arrays, arrays.probability)
    faces = predicted != NO_CROP
    row, mean = scores["rows"]["accuracy"], scores["rows"]["mean"]
    expected = [accuracy_score(true, predicted), accuracy_score(true[faces], predicted[faces]), faces.mean()]
    assert [row["f1"], row["f1_faces"], row["coverage"]] == pytest.approx(expected)
    assert mean["recall"] == pytest.approx(np.mean([(predicted[true == c] == c).mean() for c in range(3)]))
    assert mean["precision"] == pytest.approx(precision_score(true, predicted, labels=range(3), average="macro"))
    for i, name in enumerate(("happiness", "sadness", "fear")):
        about = {key: scores["rows"][name][key] for key in ("coverage", "frames", "positives")}
        coverage = pytest.approx((predicted[true == i] != NO_CROP).mean())
        assert about == {"coverage": coverage, "frames": len(true), "positives": (true == i).sum()}


def test_the_field_column_uses_the_epoch_with_the_best_accuracy(scored):
    arrays, scores = scored
    accuracies = {epoch: accuracy_score(*classes(arrays, values)) for epoch, values in arrays.epochs.items()}
    row = scores["rows"]["accuracy"]
    assert scores["field"] == {"epoch": 2, "threshold": None}
    assert row["f1_field"] == pytest.approx(max(accuracies.values()))
    assert row["f1_field"] > row["f1"]
    assert scores["field_max"] is None
    last = replace(arrays, epochs={3: arrays.epochs[3]})  # nothing is chosen
    scores = score_expressions(last, EXPRESSIONS.names)
    assert scores["field"] is None
    assert "f1_field" not in scores["rows"]["accuracy"]


def test_the_floor_is_the_most_frequent_class_of_training(scored):
    """It is sadness in training, but happiness in the test set, which the floor must not use."""
    arrays, scores = scored
    rows, share = scores["rows"], arrays.truth[:, 1].mean()
    assert share < arrays.truth[:, 0].mean()
    floors = [rows[name]["floor"] for name in ("happiness", "sadness", "mean", "accuracy")]
    f1 = 2 * share / (1 + share)
    assert floors == pytest.approx([0, f1, f1 / 3, share])


def test_named_subjects_are_resampled():
    tables = expression_tables()
    names = [f"F{i % 5:03d}" for i in range(len(tables.predictions))]
    scores = tables.changed(predictions=tables.predictions.assign(subject=names)).score()
    assert scores["resampled"] == "subjects"
    assert [unit["unit"] for unit in scores["counts"]] == ["F000", "F001", "F002", "F003", "F004"]


def test_the_first_of_equally_probable_classes_is_predicted():
    probability = np.array([[0.4, 0.4, 0.2], [np.nan] * 3, [0.1, 0.2, 0.7]])
    np.testing.assert_array_equal(one_hot_prediction(probability), [[1, 0, 0], [np.nan] * 3, [0, 0, 1]])
