import json

import numpy as np

from clef.evaluation.fold.json_data import json_data
from tests.evaluation.conftest import expression_tables


def test_metrics_are_json_data_about_the_fold(tables):
    metrics = tables.score(threshold=0.4)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert metrics["rows"]["mean"]["f1"] == round(metrics["rows"]["mean"]["f1"], 6)
    expected = {"dataset": "bp4d", "kind": "action_units", "labels": ["AU01", "AU06", "AU12"], "threshold": 0.4}
    expected |= {"last_epoch": 3, "subjects": ["F001", "F002", "M001"]}
    assert expected.items() <= metrics.items()
    known = tables.test_labels[tables.labels.names].notna().any(axis=1).to_numpy()
    assert metrics["frames"] == known.sum()
    assert metrics["status"] == tables.predictions.loc[known, "status"].value_counts().to_dict()


def test_activities_add_up_to_the_counts_of_all_frames(tables):
    metrics = tables.score()
    by_activity, by_subject = metrics["counts_by_activity"], metrics["counts"]
    assert list(by_activity) == ["T1", "T2", "T3"]
    total = np.sum([*by_activity.values()], axis=0)
    for cell, name in enumerate(("tp", "fp", "fn", "tn")):
        assert total[:, cell].tolist() == np.sum([unit[name] for unit in by_subject], axis=0).tolist()
    assert expression_tables().score()["counts_by_activity"] == {}


def test_the_order_of_rows_changes_nothing(tables):
    for each in (tables, expression_tables()):
        names = ("predictions", "epochs", "test_labels", "train_labels")
        shuffled = {name: getattr(each, name).sample(frac=1, random_state=i) for i, name in enumerate(names)}
        assert each.changed(**shuffled).score() == each.score()


def test_a_fold_without_any_crop_scores_zero(tables):
    blank = tables.predictions.assign(**{f"p_{name}": np.nan for name in tables.labels.names})
    mean = tables.changed(predictions=blank, epochs=tables.epochs.iloc[:0]).score()["rows"]["mean"]
    assert (mean["f1"], mean["coverage"], mean["f1_faces"]) == (0, 0, None)


def test_numpy_values_and_nan_are_converted():
    value = {"a": np.float32(0.1), 2: [np.int64(3), float("nan")], "b": np.array([[0.123456, -1e-9]]), "c": None}
    assert json_data(value, 4) == {"a": 0.1, "2": [3, None], "b": [[0.1235, 0.0]], "c": None}
    assert str(json_data(-1e-9, 4)) == "0.0"
    assert json_data(True, 2) is True
