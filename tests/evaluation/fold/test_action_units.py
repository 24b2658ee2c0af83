import numpy as np
import pytest
from sklearn.metrics import f1_score

from clef.evaluation.fold.action_units import score_action_units


def score(tables, threshold=0.5):
    return score_action_units(tables.arrays(), tables.labels.names, threshold)


def test_a_frame_without_a_crop_counts_as_absent_in_the_headline_only(tables):
    arrays, rows = tables.arrays(), score(tables)["rows"]
    for i, name in enumerate(tables.labels.names):
        known = ~np.isnan(arrays.truth[:, i])
        faces = known & ~np.isnan(arrays.probability[:, i])
        predicted = np.nan_to_num(arrays.probability[:, i]) >= 0.5
        row = rows[name]
        assert row["f1"] == pytest.approx(f1_score(arrays.truth[known, i], predicted[known]))
        assert row["f1_faces"] == pytest.approx(f1_score(arrays.truth[faces, i], predicted[faces]))
        assert row["f1"] < row["f1_faces"]
        assert row["coverage"] == pytest.approx(faces.sum() / known.sum())
        assert (row["frames"], row["positives"]) == (known.sum(), (arrays.truth[:, i] == 1).sum())


def test_field_columns_are_chosen_on_the_test_fold_and_need_epochs(tables):
    scores = score(tables)
    assert scores["field"] == {"epoch": 2, "threshold": 0.5}
    assert scores["field_max"]["epoch"] == 2
    mean = scores["rows"]["mean"]
    assert mean["f1"] < mean["f1_field"] <= mean["f1_field_max"]
    for epochs in (None, tables.epochs[tables.epochs["epoch"] == 3]):  # of the last epoch alone, nothing is chosen
        without = score(tables.changed(epochs=epochs))
        assert without["field"] is without["field_max"] is None
        assert np.isnan([without["rows"]["mean"]["f1_field"], without["rows"]["mean"]["f1_field_max"]]).all()
    assert score(tables.changed(epochs=tables.epochs[tables.epochs["epoch"] == 1]))["field"]["epoch"] == 1


def test_the_threshold_of_the_run_is_tried_beside_the_grid(tables):
    small = tables.epochs.filter(like="p_") / 100  # no threshold of the grid separates them
    scores = score(tables.changed(epochs=tables.epochs.assign(**small)), 0.005)
    assert scores["field_max"]["threshold"] == 0.005


def test_the_mean_is_over_labels_with_a_known_frame(tables):
    rows = score(tables.changed(test_labels=tables.test_labels.assign(AU06=np.nan)))["rows"]
    assert np.isnan(rows["AU06"]["f1"])
    assert rows["AU06"]["frames"] == 0
    assert rows["mean"]["f1"] == pytest.approx((rows["AU01"]["f1"] + rows["AU12"]["f1"]) / 2)


def test_the_activity_only_baseline_uses_training_labels(tables):
    expected = score(tables)["rows"]
    assert expected["mean"]["floor"] < expected["mean"]["activity_only"]
    assert expected["mean"]["activity_only_auc"] > 0.6
    always = tables.train_labels.assign(**dict.fromkeys(tables.labels.names, 1.0))
    rows = score(tables.changed(train_labels=always))["rows"]
    for name in tables.labels.names:  # the activity helps no more than always predicting the label
        assert rows[name]["activity_only"] == pytest.approx(rows[name]["floor"])
        assert rows[name]["f1"] == expected[name]["f1"]


def test_without_activities_the_activity_columns_are_undefined(tables):
    predictions, train_labels = tables.predictions.assign(activity=None), tables.train_labels.drop(columns="activity")
    scores = score(tables.changed(predictions=predictions, train_labels=train_labels))
    mean = scores["rows"]["mean"]
    assert np.isnan([mean["activity_only"], mean["activity_only_auc"], mean["f1_within_activity"]]).all()
    assert scores["counts_activity_only"] is None
    assert mean["f1"] > 0


def test_the_auc_of_descriptions_comes_from_the_cosines(tables):
    names = tables.labels.names
    cosines = {f"d_{name}": 2 * tables.predictions[f"p_{name}"] - 1 for name in names}
    rows = score(tables.changed(predictions=tables.predictions.assign(**cosines)))["rows"]
    assert all(rows[name]["auc_description"] == rows[name]["auc"] for name in names)  # also of frames without a crop
    assert np.isnan([row["auc_description"] for row in score(tables)["rows"].values()]).all()
