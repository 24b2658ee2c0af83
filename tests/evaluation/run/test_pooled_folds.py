"""Leave-one-subject-out: F1 from the counts of all folds together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score

from clef.evaluation.fold.metrics import calibration_error
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.summary import summarize
from clef.evaluation.run.terminal_summary import format_summary
from tests.evaluation.conftest import action_unit_tables

SUBJECTS = ("F001", "F002", "F003", "M001", "M002")


@pytest.fixture
def tables():
    """One fold per subject."""
    return [action_unit_tables(number, (subject,), ("F009",)) for number, subject in enumerate(SUBJECTS)]


@pytest.fixture
def metrics(tables):
    return [fold.score() | {"fold": number} for number, fold in enumerate(tables)]


def test_f1_is_that_of_all_test_frames_together(tables, metrics):
    rows = pooled_rows(metrics)
    labels = pd.concat([fold.test_labels for fold in tables])
    predictions = pd.concat([fold.predictions for fold in tables])
    names = tables[0].labels.names
    for name in names:
        known = labels[name].notna().to_numpy()
        right, predicted = labels[name][known].astype(int), predictions[f"p_{name}"].fillna(0)[known] >= 0.5
        expected = {"f1": f1_score(right, predicted), "precision": precision_score(right, predicted)}
        expected |= {"base_rate": right.mean(), "floor": 2 * right.mean() / (1 + right.mean())}
        expected["coverage"] = (predictions["status"] == "detected")[known].mean()
        assert {key: rows[name][key] for key in expected} == pytest.approx(expected)
    assert rows["mean"]["f1"] == pytest.approx(np.mean([rows[name]["f1"] for name in names]))


def test_the_calibration_error_is_that_of_all_test_frames_together(tables, metrics):
    arrays = [fold.arrays() for fold in tables]
    truth, probability = (np.concatenate([getattr(a, name) for a in arrays]) for name in ("truth", "probability"))
    expected = calibration_error(truth, probability)
    rows = pooled_rows(metrics)
    found = [rows[name]["calibration_error"] for name in tables[0].labels.names]
    assert found == pytest.approx(expected, abs=0.005), "probabilities are known to half the distance of two thresholds"
    assert rows["mean"]["calibration_error"] == pytest.approx(np.mean(found))


def test_the_summary_of_pooled_folds(tables, metrics):
    other_seed = [fold | {"seed": 1, "rows": other["rows"]} for fold, other in zip(metrics, metrics, strict=True)]
    for fold in other_seed:
        fold["counts"] = [unit | {"tp": unit["fn"], "fn": unit["tp"]} for unit in fold["counts"]]
    table, summary = summarize([*metrics, *other_seed], "loso", 100, pooled=True)
    rows = table.set_index("label")
    seeds = [pooled_rows(metrics), pooled_rows(other_seed)]
    for name in ("AU01", "AU12", "mean"):
        f1 = [of_seed[name]["f1"] for of_seed in seeds]
        assert rows.loc[name, "f1"] == pytest.approx(np.mean(f1), abs=6e-5)
        assert rows.loc[name, "sd_seeds"] == pytest.approx(np.std(f1, ddof=1), abs=6e-5)
    assert rows["f1_fold4"].notna().all()
    assert rows[["f1_field", "f1_field_max", "f1_within_activity"]].isna().all(axis=None)
    assert rows[["activity_only", "f1_faces", "floor", "auc", "coverage"]].notna().all(axis=None)
    assert summary["pooled"] is True
    assert "folds: 5, pooled" in str(format_summary(summary).title)


def test_the_interval_draws_among_the_subjects_of_all_folds(metrics):
    pooled, averaged = (summarize(metrics, "run", 200, pooled=pooled)[0].set_index("label") for pooled in (True, False))
    assert averaged.loc["AU06", "ci_low"] == averaged.loc["AU06", "ci_high"]
    assert pooled.loc["AU06", "ci_high"] - pooled.loc["AU06", "ci_low"] > 0.01
