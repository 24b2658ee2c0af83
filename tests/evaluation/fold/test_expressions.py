import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_score

from clef.evaluation.fold.expressions import one_hot_prediction, score_expressions
from clef.evaluation.fold.join_labels import join_labels


def scored(tables):
    fold = join_labels(*tables.parts())
    return fold, score_expressions(fold, tables.labels.names)


def classes(fold, probability):
    true = fold.truth.argmax(axis=1)
    decision = np.where(np.isnan(probability[:, 0]), 3, np.nan_to_num(probability).argmax(axis=1))
    return true, decision


def test_accuracies_count_images_without_a_crop_as_wrong(expression_tables):
    fold, scores = scored(expression_tables())
    true, predicted = classes(fold, fold.probability)
    row, mean = scores["rows"]["accuracy"], scores["rows"]["mean"]
    assert row["f1"] == pytest.approx(accuracy_score(true, predicted))
    assert row["f1_faces"] == pytest.approx(accuracy_score(true[predicted < 3], predicted[predicted < 3]))
    assert row["coverage"] == pytest.approx((predicted < 3).mean())
    recalls = [(predicted[true == c] == c).mean() for c in range(3)]
    assert mean["recall"] == pytest.approx(np.mean(recalls))
    faces = predicted < 3
    assert mean["recall"] < balanced_accuracy_score(true[faces], predicted[faces])


def test_f1_and_precision_of_each_class(expression_tables):
    tables = expression_tables()
    fold, scores = scored(tables)
    true, predicted = classes(fold, fold.probability)
    f1 = f1_score(true, predicted, labels=range(3), average=None)
    precisions = precision_score(true, predicted, labels=range(3), average=None)
    for i, name in enumerate(tables.labels.names):
        assert scores["rows"][name]["f1"] == pytest.approx(f1[i])
        assert scores["rows"][name]["precision"] == pytest.approx(precisions[i])
    assert scores["rows"]["mean"]["f1"] == pytest.approx(f1.mean())


def test_the_field_takes_the_epoch_with_the_best_accuracy(expression_tables):
    fold, scores = scored(expression_tables())
    accuracies = {epoch: np.mean(np.equal(*classes(fold, values))) for epoch, values in fold.epochs.items()}
    assert scores["field"] == {"epoch": 2, "threshold": None}
    assert scores["rows"]["accuracy"]["f1_field"] == pytest.approx(max(accuracies.values()))
    assert scores["rows"]["accuracy"]["f1_field"] > scores["rows"]["accuracy"]["f1"]
    assert scores["field_max"] is None


def test_the_floor_is_the_most_frequent_class_of_training(expression_tables):
    """Training has most sadness, the test set most happiness: the floor must not know that."""
    fold, scores = scored(expression_tables())
    share = fold.truth[:, 1].mean()
    assert share < fold.truth[:, 0].mean()
    assert scores["rows"]["accuracy"]["floor"] == pytest.approx(share)
    assert scores["rows"]["sadness"]["floor"] == pytest.approx(2 * share / (1 + share))
    assert scores["rows"]["happiness"]["floor"] == 0
    assert scores["rows"]["mean"]["floor"] == pytest.approx(2 * share / (1 + share) / 3)


def test_the_confusion_matrix_has_a_column_for_images_without_a_crop(expression_tables):
    fold, scores = scored(expression_tables())
    true, predicted = classes(fold, fold.probability)
    expected = np.zeros((3, 4), dtype=int)
    np.add.at(expected, (true, predicted), 1)
    np.testing.assert_array_equal(scores["confusion"], expected)
    assert scores["resampled"] == "images"
    assert sum(unit["number"] for unit in scores["counts"]) == len(true)


def test_people_with_names_are_resampled_as_such(expression_tables):
    tables = expression_tables()
    names = [f"F{i % 5:03d}" for i in range(len(tables.predictions))]
    _, scores = scored(tables.but(predictions=tables.predictions.assign(subject=names)))
    assert scores["resampled"] == "subjects"
    assert [unit["unit"] for unit in scores["counts"]] == ["F000", "F001", "F002", "F003", "F004"]


def test_the_decision_is_the_first_of_equals():
    probability = np.array([[0.4, 0.4, 0.2], [np.nan] * 3, [0.1, 0.2, 0.7]])
    np.testing.assert_array_equal(one_hot_prediction(probability), [[1, 0, 0], [np.nan] * 3, [0, 0, 1]])
