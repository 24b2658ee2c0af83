import json

import numpy as np
import pandas as pd
import pytest

from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.run.summary import summarize, write_summary
from clef.params.schema import EvaluateParams

FOLDS = [(("F001", "F002", "F003"), ("M001", "M002")), (("M001", "M002"), ("F001", "F002", "F003"))]
SEEDS = (0, 1, 2)


@pytest.fixture
def metrics(action_unit_tables):
    return [
        score_fold(*action_unit_tables(seed, *FOLDS[fold]).parts(), EvaluateParams()) | {"seed": seed, "fold": fold}
        for seed in SEEDS
        for fold in (0, 1)
    ]


@pytest.fixture
def expression_metrics(expression_tables):
    return [
        score_fold(*expression_tables(seed).parts(), EvaluateParams()) | {"seed": seed, "fold": 0} for seed in (0, 1)
    ]


def about(expected, **tolerance):
    return pytest.approx(expected, **(tolerance or {"abs": 6e-5}))


def value(metrics, seed, fold, label, key):
    return next(m["rows"][label][key] for m in metrics if (m["seed"], m["fold"]) == (seed, fold))


def test_metrics_are_averaged_inside_folds_first(metrics):
    table = summarize(metrics, "run", 0)[0].set_index("label")
    for label in ("AU01", "AU06", "AU12", "mean"):
        f1 = np.array([[value(metrics, seed, fold, label, "f1") for fold in (0, 1)] for seed in SEEDS])
        row = table.loc[label]
        assert row["f1"] == about(f1.mean())
        assert [row["f1_fold0"], row["f1_fold1"]] == about(f1.mean(axis=0).tolist())
        assert row["sd_folds"] == about(f1.mean(axis=0).std(ddof=1))
        assert row["sd_seeds"] == about(f1.mean(axis=1).std(ddof=1))
        for key in ("auc", "f1_field_max", "activity_only", "coverage"):
            expected = np.mean([value(metrics, seed, fold, label, key) for seed in SEEDS for fold in (0, 1)])
            assert row[key] == about(expected)
    labels = ["AU01", "AU06", "AU12"]
    assert table.loc["mean", "f1"] == about(table.loc[labels, "f1"].mean())
    assert table.loc["AU06", "frames"] == sum(value(metrics, 0, fold, "AU06", "frames") for fold in (0, 1))


def test_the_layout_of_the_table(metrics):
    table, _ = summarize(metrics, "run", 20)
    assert table["label"].tolist() == ["AU01", "AU06", "AU12", "mean"]
    assert table.columns.tolist() == [
        *("label", "f1", "ci_low", "ci_high", "f1_fold0", "f1_fold1", "sd_folds", "sd_seeds"),
        *("precision", "recall", "f1_faces", "f1_field", "f1_field_max", "f1_tuned", "auc", "ap", "f1_within_activity"),
        *("base_rate", "floor", "activity_only", "coverage", "frames", "positives"),
    ]


def test_intervals_lie_around_the_headline(metrics):
    table, _ = summarize(metrics, "run", 300)
    assert (table["ci_low"] <= table["f1"]).all()
    assert (table["f1"] <= table["ci_high"]).all()
    assert (table["ci_low"] < table["ci_high"]).all()


def test_one_seed_and_one_fold_have_no_spread(metrics):
    table, _ = summarize(metrics[:1], "run", 20)
    assert table[["sd_folds", "sd_seeds"]].isna().all(axis=None)
    assert table["f1"].equals(table["f1_fold0"].rename("f1"))


def test_the_summary_says_what_the_run_was(metrics):
    _, summary = summarize(metrics, "bp4d-no-stage1", 20)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["run"] == "bp4d-no-stage1"
    assert summary["seeds"] == [0, 1, 2]
    assert [fold["subjects"] for fold in summary["folds"]] == [["F001", "F002", "F003"], ["M001", "M002"]]
    assert summary["optimistic"] == ["f1_field", "f1_field_max"]
    assert summary["rows"]["mean"]["positives"] is None
    assert {choice["field"]["epoch"] for choice in summary["chosen_on_test"]} == {2}
    assert [choice["last_epoch"] for choice in summary["chosen_on_test"]] == [3] * 6
    assert sum(summary["status"].values()) == sum(fold["frames"] for fold in summary["folds"])


def test_published_values_of_the_same_labels_stand_beside_the_run(metrics):
    _, summary = summarize(metrics, "run", 0, published="bp4d")
    clef = next(entry for entry in summary["published"] if entry["method"] == "CLEF")
    assert clef["values"] == {"AU01": 0.558, "AU06": 0.795, "AU12": 0.878}
    assert summarize(metrics, "run", 0, published="demo")[1]["published"] == []
    assert summarize(metrics, "run", 0)[1]["published"] == []


def test_expressions_have_a_row_for_accuracy(expression_metrics):
    table, summary = summarize(expression_metrics, "raf_db", 300)
    assert table["label"].tolist() == ["happiness", "sadness", "fear", "mean", "accuracy"]
    row = table.set_index("label").loc["accuracy"]
    right = [np.trace(np.array(m["confusion"])[:, :3]) / m["frames"] for m in expression_metrics]
    assert row["f1"] == about(np.mean(right), abs=1e-6)
    assert row["ci_low"] < row["f1"] < row["ci_high"]
    error = np.sqrt(row["f1"] * (1 - row["f1"]) / 200)
    assert row["ci_high"] - row["ci_low"] == about(2 * 1.96 * error, rel=0.2)
    assert row["f1"] < row["f1_field"]
    assert pd.isna(row["activity_only"])
    assert summary["resampled"] == "images"


def test_files_are_readable_and_the_same_every_time(metrics, tmp_path):
    table, summary = summarize(metrics, "bp4d", 50)
    write_summary(tmp_path / "one", table, summary)
    stored = json.loads(json.dumps(metrics[::-1]))
    write_summary(tmp_path / "two", *summarize(stored, "bp4d", 50))
    for name in ("summary.csv", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "summary.json").read_text()) == summary
    text = (tmp_path / "one" / "summary.csv").read_text()
    assert "\r" not in text
    read = pd.read_csv(tmp_path / "one" / "summary.csv", dtype={"frames": "Int64", "positives": "Int64"})
    pd.testing.assert_frame_equal(read, table, check_dtype=False, check_exact=True)


def test_the_table_and_the_plain_data_hold_the_same_numbers(metrics):
    table, summary = summarize(metrics, "run", 20)
    for label, row in summary["rows"].items():
        in_table = table.set_index("label").loc[label]
        assert row == {key: None if pd.isna(value) else value for key, value in in_table.items()}
        assert isinstance(row["frames"], int)
