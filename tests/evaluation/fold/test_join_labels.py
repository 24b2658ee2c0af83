import numpy as np
import pandas as pd
import pytest

from clef.errors import ClefError
from clef.evaluation.fold.join_labels import join_labels


def test_rows_are_joined_by_sequence_and_frame_not_by_position(action_unit_tables):
    tables = action_unit_tables()
    straight = join_labels(*tables.parts())
    shuffled = tables.but(
        test_labels=tables.test_labels.sample(frac=1, random_state=1),
        epochs=tables.epochs.sample(frac=1, random_state=2).astype({"sequence": "category", "frame": "int32"}),
        train_labels=tables.train_labels.sample(frac=1, random_state=3),
    )
    again = join_labels(*shuffled.parts())
    np.testing.assert_array_equal(again.truth, straight.truth)
    np.testing.assert_array_equal(again.probability, straight.probability)
    for epoch in (1, 2, 3):
        np.testing.assert_array_equal(again.epochs[epoch], straight.epochs[epoch])
    np.testing.assert_array_equal(straight.epochs[3], straight.probability)


def test_frames_without_a_known_label_are_left_out(action_unit_tables):
    tables = action_unit_tables()
    labels = tables.test_labels.copy()
    labels.loc[labels["sequence"] == "F001_T1", tables.labels.names] = np.nan
    arrays = join_labels(*tables.but(test_labels=labels).parts())
    assert len(arrays.truth) == len(labels) - 30 - int(_all_unknown(tables, "F001_T1"))
    assert "F001_T1" not in set(arrays.sequence)
    assert sum(arrays.status.values()) == len(arrays.truth)


def _all_unknown(tables, but):
    others = tables.test_labels[tables.test_labels["sequence"] != but]
    return others[tables.labels.names].isna().all(axis=1).sum()


def test_expressions_become_one_hot_and_unlabelled_images_drop_out(expression_tables):
    tables = expression_tables()
    labels = tables.test_labels.copy()
    labels.loc[:9, "expression"] = None
    arrays = join_labels(*tables.but(test_labels=labels).parts())
    assert len(arrays.truth) == len(labels) - 10
    assert (arrays.truth.sum(axis=1) == 1).all()
    names = np.array(tables.labels.names)[arrays.truth.argmax(axis=1)]
    assert names.tolist() == labels["expression"].dropna().tolist()


def test_stored_tables_with_nullable_columns_are_understood(action_unit_tables, tmp_path):
    tables = action_unit_tables()
    path = tmp_path / "labels.parquet"
    tables.test_labels.to_parquet(path)
    nullable = pd.read_parquet(path, dtype_backend="numpy_nullable")
    np.testing.assert_array_equal(
        join_labels(*tables.but(test_labels=nullable).parts()).truth, join_labels(*tables.parts()).truth
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: t.but(predictions=t.predictions.iloc[1:]),
            "1 labelled test frames have no row in the pred",
        ),
        (
            lambda t: t.but(test_labels=t.test_labels.iloc[2:]),
            "2 predicted frames have no label, such as frame 1",
        ),
        (
            lambda t: t.but(predictions=pd.concat([t.predictions, t.predictions.iloc[:1]])),
            "predictions: frame 1 of F001_T1 occurs twice",
        ),
        (lambda t: t.but(epochs=t.epochs.iloc[1:]), "epoch 1: no probabilities for frame"),
        (lambda t: t.but(predictions=t.predictions.drop(columns="p_AU06")), "p_AU06"),
        (lambda t: t.but(predictions=t.predictions.assign(p_AU06=1.5)), "for some labels only"),
        (lambda t: t.but(predictions=t.predictions.fillna(0.5).assign(p_AU06=1.5)), "outside 0 to 1"),
        (lambda t: t.but(test_labels=t.test_labels.assign(AU06=9.0)), "test labels: label 9"),
        (
            lambda t: t.but(train_labels=t.train_labels.assign(subject="F001")),
            "F001 are in training and in test",
        ),
        (
            lambda t: t.but(test_labels=t.test_labels.assign(AU01=np.nan, AU06=np.nan, AU12=np.nan)),
            "no known",
        ),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(action_unit_tables, spoil, message):
    with pytest.raises(ClefError, match=message):
        join_labels(*spoil(action_unit_tables()).parts())


def test_an_expression_that_the_run_does_not_know_is_refused(expression_tables):
    tables = expression_tables()
    labels = tables.test_labels.assign(expression="contempt")
    with pytest.raises(ClefError, match="expression contempt; expected one of happiness, sadness, fear"):
        join_labels(*tables.but(test_labels=labels).parts())
