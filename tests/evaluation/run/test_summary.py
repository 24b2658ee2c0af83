import json

import numpy as np
import pandas as pd
import pytest

from clef.evaluation.run.summary import summarize, write_summary
from tests.evaluation.conftest import expression_tables

HALF_A_UNIT = 6e-5  # of the fourth decimal


def test_metrics_are_averaged_over_seeds_and_folds(metrics):
    table = summarize(metrics, "run", 0)[0].set_index("label")
    labels = ["AU01", "AU06", "AU12"]
    for label in (*labels, "mean"):
        f1 = np.array([m["rows"][label]["f1"] for m in metrics]).reshape(3, 2)  # (seeds, folds)
        expected = {"f1": f1.mean(), "f1_fold0": f1[:, 0].mean(), "f1_fold1": f1[:, 1].mean()}
        expected |= {"sd_folds": f1.mean(axis=0).std(ddof=1), "sd_seeds": f1.mean(axis=1).std(ddof=1)}
        for key in ("auc", "f1_field_max", "activity_only", "coverage"):
            expected[key] = np.mean([m["rows"][label][key] for m in metrics])
        assert table.loc[label, list(expected)].to_dict() == pytest.approx(expected, abs=HALF_A_UNIT)
    assert table.loc["mean", "f1"] == pytest.approx(table.loc[labels, "f1"].mean(), abs=HALF_A_UNIT)
    assert table.loc["AU06", "frames"] == sum(m["rows"]["AU06"]["frames"] for m in metrics[:2])


def test_the_table_has_its_columns_and_the_summary_the_same_rows(metrics):
    table, summary = summarize(metrics, "bp4d-no-stage1", 20)
    assert table["label"].tolist() == ["AU01", "AU06", "AU12", "mean"]
    assert table.columns.tolist() == [
        *("label", "f1", "ci_low", "ci_high", "f1_fold0", "f1_fold1", "sd_folds", "sd_seeds"),
        *("precision", "recall", "f1_faces", "f1_field", "f1_field_max", "f1_tuned", "auc", "ap", "auc_description"),
        *(
            "calibration_error",
            "f1_within_activity",
            "base_rate",
            "floor",
            "activity_only",
            "coverage",
            "frames",
            "positives",
        ),
    ]
    assert ((table["ci_low"] < table["f1"]) & (table["f1"] < table["ci_high"])).all()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert {"run": "bp4d-no-stage1", "seeds": [0, 1, 2], "published": []}.items() <= summary.items()
    assert [fold["subjects"] for fold in summary["folds"]] == [["F001", "F002", "F003"], ["M001", "M002"]]
    assert sum(summary["status"].values()) == sum(fold["frames"] for fold in summary["folds"])
    for label, row in summary["rows"].items():
        in_table = table.set_index("label").loc[label]
        assert row == {key: None if pd.isna(value) else value for key, value in in_table.items()}
        assert isinstance(row["frames"], int)


def test_expressions_have_rows_for_accuracies():
    metrics = [expression_tables(seed).score() | {"seed": seed} for seed in (0, 1)]
    table, summary = summarize(metrics, "raf_db", 300)
    assert table["label"].tolist() == ["happiness", "sadness", "fear", "mean", "mean_class_accuracy", "accuracy"]
    row, mean = table.set_index("label").loc["mean_class_accuracy"], table.set_index("label").loc["mean"]
    assert row["f1"] == pytest.approx(mean["recall"], abs=HALF_A_UNIT)
    assert row["ci_low"] < row["f1"] < row["ci_high"]
    assert row["floor"] == pytest.approx(1 / 3, abs=HALF_A_UNIT)
    row = table.set_index("label").loc["accuracy"]
    correct = [np.trace(m["confusion"]) / m["frames"] for m in metrics]
    assert row["f1"] == pytest.approx(np.mean(correct), abs=HALF_A_UNIT)
    assert row["ci_low"] < row["f1"] < row["ci_high"]
    error = np.sqrt(row["f1"] * (1 - row["f1"]) / 200)
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert row["f1"] < row["f1_field"]
    assert pd.isna(row["activity_only"])
    assert summary["resampled"] == "images"


def test_temperatures_are_listed_with_what_they_change(metrics):
    assert summarize(metrics, "run", 0)[1]["tuned"] is None
    tuned = {"frames": 9, "temperature": 2.0, "log_loss": 0.8, "log_loss_tempered": 0.5, "thresholds": {"AU01": 0.3}}
    tuned |= {"calibration_error": 0.123456, "calibration_error_tempered": 0.02}
    listed = summarize([m | {"tuned": tuned} for m in metrics], "run", 0)[1]["tuned"]
    assert [(each["seed"], each["fold"]) for each in listed] == [(seed, fold) for seed in (0, 1, 2) for fold in (0, 1)]
    assert listed[0]["calibration_error"] == 0.1235
    assert "thresholds" not in listed[0]


def test_files_can_be_read_and_are_always_the_same(metrics, tmp_path):
    table, summary = summarize(metrics, "bp4d", 50)
    write_summary(tmp_path / "one", table, summary)
    stored = json.loads(json.dumps(metrics[::-1]))
    write_summary(tmp_path / "two", *summarize(stored, "bp4d", 50))
    for name in ("summary.csv", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "summary.json").read_text()) == summary
    assert b"\r" not in (tmp_path / "one" / "summary.csv").read_bytes()
