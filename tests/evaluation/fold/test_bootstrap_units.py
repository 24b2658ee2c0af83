import numpy as np
from sklearn.metrics import confusion_matrix

from clef.evaluation.fold.bootstrap_units import units_by_image, units_by_subject
from clef.evaluation.fold.metrics import confusion_counts


def test_counts_of_each_subject():
    rng = np.random.default_rng(5)
    subject = rng.choice(np.array(["M001", "F001", "F002"], dtype=object), size=60)
    truth, probability = rng.integers(0, 2, size=(60, 2)).astype(float), rng.random((60, 2))
    units = units_by_subject(truth, probability, 0.5, subject, np.full(60, "T1", dtype=object))
    assert (units.kind, units.names) == ("subjects", ("F001", "F002", "M001"))
    for name, counts in zip(units.names, units.counts, strict=True):
        rows = subject == name
        np.testing.assert_array_equal(counts, confusion_counts(truth[rows], probability[rows], [0.5])[0])
    np.testing.assert_array_equal(units.total(), confusion_counts(truth, probability, [0.5])[0])


def test_images_add_up_to_the_confusion_matrix():
    rng = np.random.default_rng(6)
    true, predicted = rng.integers(0, 3, size=80), rng.integers(0, 4, size=80)
    units = units_by_image(confusion_matrix(true, predicted, labels=range(4))[:3])
    assert units.number.sum() == 80
    one_hot = np.vstack([np.eye(3), np.full(3, np.nan)])[predicted]
    np.testing.assert_array_equal(units.total(), confusion_counts(np.eye(3)[true], one_hot, [0.5])[0])


def test_images_are_ordered_by_true_class_and_correct_ones_first():
    units = units_by_image(np.array([[1, 5, 2, 0], [3, 0, 4, 6], [7, 8, 9, 1]]))
    assert units.number.tolist() == [1, 5, 2, 3, 4, 6, 9, 7, 8, 1]
