import numpy as np
import pytest
from sklearn.metrics import f1_score

from clef.evaluation.fold.action_units import score_action_units
from clef.evaluation.fold.join_labels import join_labels


def scored(tables, threshold=0.5):
    fold = join_labels(*tables.parts())
    return fold, score_action_units(fold, tables.labels.names, threshold)


def test_a_frame_without_a_crop_counts_as_absent_in_the_headline_only(action_unit_tables):
    tables = action_unit_tables()
    fold, scores = scored(tables)
    for i, name in enumerate(tables.labels.names):
        known = ~np.isnan(fold.truth[:, i])
        faces = known & ~np.isnan(fold.probability[:, i])
        predicted = np.nan_to_num(fold.probability[:, i]) >= 0.5
        row = scores["rows"][name]
        assert row["f1"] == pytest.approx(f1_score(fold.truth[known, i], predicted[known]))
        assert row["f1_faces"] == pytest.approx(f1_score(fold.truth[faces, i], predicted[faces]))
        assert row["f1"] < row["f1_faces"]
        assert row["coverage"] == pytest.approx(faces.sum() / known.sum())
        assert (row["frames"], row["positives"]) == (known.sum(), (fold.truth[:, i] == 1).sum())


def test_the_field_columns_choose_on_the_test_fold(action_unit_tables):
    _, scores = scored(action_unit_tables())
    assert scores["field"] == {"epoch": 2, "threshold": 0.5}
    assert scores["field_max"]["epoch"] == 2
    mean = scores["rows"]["mean"]
    assert mean["f1"] < mean["f1_field"] <= mean["f1_field_max"]


def test_the_mean_is_over_labels(action_unit_tables):
    tables = action_unit_tables()
    _, scores = scored(tables)
    for key in ("f1", "auc", "ap", "f1_within_activity", "floor", "activity_only", "base_rate", "coverage"):
        values = [scores["rows"][name][key] for name in tables.labels.names]
        assert scores["rows"]["mean"][key] == pytest.approx(np.mean(values))


def test_a_label_that_is_never_known_stays_out_of_the_mean(action_unit_tables):
    tables = action_unit_tables()
    _, scores = scored(tables.but(test_labels=tables.test_labels.assign(AU06=np.nan)))
    rows = scores["rows"]
    assert np.isnan(rows["AU06"]["f1"])
    assert rows["AU06"]["frames"] == 0
    assert rows["mean"]["f1"] == pytest.approx((rows["AU01"]["f1"] + rows["AU12"]["f1"]) / 2)


def test_activity_only_comes_from_training_labels(action_unit_tables):
    tables = action_unit_tables()
    _, scores = scored(tables)
    mean = scores["rows"]["mean"]
    assert mean["floor"] < mean["activity_only"]
    assert mean["activity_only_auc"] > 0.6
    always = tables.train_labels.copy()
    always[tables.labels.names] = 1.0  # then knowing the activity is worth no more than always predicting
    rows = scored(tables.but(train_labels=always))[1]["rows"]
    for name in tables.labels.names:
        assert rows[name]["activity_only"] == pytest.approx(rows[name]["floor"])
        assert rows[name]["f1"] == pytest.approx(scores["rows"][name]["f1"])


def test_without_activities_there_is_no_such_baseline(action_unit_tables):
    tables = action_unit_tables()
    without = tables.but(
        predictions=tables.predictions.assign(activity=None),
        train_labels=tables.train_labels.drop(columns="activity"),
    )
    mean = scored(without)[1]["rows"]["mean"]
    assert np.isnan([mean["activity_only"], mean["activity_only_auc"], mean["f1_within_activity"]]).all()
    assert mean["f1"] > 0


def test_without_epochs_the_field_columns_are_undefined(action_unit_tables):
    _, scores = scored(action_unit_tables().but(epochs=None))
    assert scores["field"] is None
    assert scores["field_max"] is None
    assert np.isnan([scores["rows"]["mean"]["f1_field"], scores["rows"]["mean"]["f1_field_max"]]).all()
