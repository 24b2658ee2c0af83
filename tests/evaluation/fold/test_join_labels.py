import numpy as np
import pandas as pd
import pytest

from clef.errors import ClefError
from clef.evaluation.fold.join_labels import join_held_out
from tests.evaluation.conftest import expression_tables


def test_frames_without_a_known_label_are_left_out(tables):
    labels = tables.test_labels.copy()
    labels.loc[labels["sequence"] == "F001_T1", tables.labels.names] = np.nan
    arrays = tables.changed(test_labels=labels).arrays()
    assert len(arrays.truth) == labels[tables.labels.names].notna().any(axis=1).sum()
    assert "F001_T1" not in set(arrays.sequence)
    assert sum(arrays.status.values()) == len(arrays.truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"predictions": t.predictions.iloc[1:]}, "1 labelled test frames have no row in the pred"),
        (lambda t: {"test_labels": t.test_labels.iloc[2:]}, "2 predicted frames have no label, such as frame 1"),
        (
            lambda t: {"predictions": pd.concat([t.predictions, t.predictions.iloc[:1]])},
            "predictions: frame 1 of F001_T1 occurs twice",
        ),
        (lambda t: {"epochs": t.epochs.iloc[1:]}, "1 frames have a crop but no predictions of epoch 1"),
        (lambda t: {"predictions": t.predictions.assign(p_AU06=0.5)}, "for some labels only"),
        (lambda t: {"predictions": t.predictions.fillna(0.5).assign(p_AU06=1.5)}, "outside 0 to 1"),
        (lambda t: {"test_labels": t.test_labels.assign(AU06=9.0)}, "test labels: label 9"),
        (lambda t: {"train_labels": t.train_labels.assign(subject="F001")}, "F001 are in training and in test"),
        (lambda t: {"test_labels": t.test_labels.assign(AU01=np.nan, AU06=np.nan, AU12=np.nan)}, "no known"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(tables, change, message):
    with pytest.raises(ClefError, match=message):
        tables.changed(**change(tables)).arrays()


def test_an_expression_that_the_run_does_not_predict_is_refused():
    tables = expression_tables()
    with pytest.raises(ClefError, match="expression contempt; expected one of happiness, sadness, fear"):
        tables.changed(test_labels=tables.test_labels.assign(expression="contempt")).arrays()


def test_held_out_frames_without_a_crop_have_no_probability(tables):
    cropped = tables.predictions[tables.predictions["status"] == "detected"].sample(frac=1, random_state=4)
    truth, probability = join_held_out(cropped, tables.test_labels, tables.labels)
    np.testing.assert_array_equal(truth, tables.test_labels[tables.labels.names])
    np.testing.assert_array_equal(probability, tables.predictions[[f"p_{name}" for name in tables.labels.names]])
    with pytest.raises(ClefError, match="1 frames of the held-out predictions have no label"):
        join_held_out(cropped, tables.test_labels.drop(cropped.index[0]), tables.labels)
