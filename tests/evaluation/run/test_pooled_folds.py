"""Leave-one-subject-out: F1 from the counts of all folds together."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score

from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.summary import summarize
from clef.evaluation.run.terminal_summary import format_summary
from clef.params.schema import EvaluateParams

SUBJECTS = ("F001", "F002", "F003", "M001", "M002")
SEEDS = (0, 1)


@pytest.fixture
def tables(action_unit_tables):
    """A fold a subject, under each seed."""
    others = {subject: tuple(other for other in SUBJECTS if other != subject) for subject in SUBJECTS}
    return {
        seed: [action_unit_tables(10 * seed + number, (s,), others[s]) for number, s in enumerate(SUBJECTS)]
        for seed in SEEDS
    }


@pytest.fixture
def metrics(tables):
    return [
        score_fold(*fold.parts(), EvaluateParams()) | {"seed": seed, "fold": number}
        for seed, folds in tables.items()
        for number, fold in enumerate(folds)
    ]


def together(folds):
    """Truth and decision of all test frames of all folds, (frames, labels); NaN where unknown."""
    names = folds[0].labels.names
    truth = pd.concat([fold.test_labels for fold in folds])[names].to_numpy()
    predicted = pd.concat([fold.predictions for fold in folds])[[f"p_{name}" for name in names]].to_numpy()
    return truth, np.nan_to_num(predicted) >= 0.5


def test_f1_is_that_of_all_test_frames_together(tables, metrics):
    for seed, folds in tables.items():
        rows = pooled_rows([m for m in metrics if m["seed"] == seed])
        truth, predicted = together(folds)
        for i, name in enumerate(("AU01", "AU06", "AU12")):
            known = ~np.isnan(truth[:, i])
            right, decided = truth[known, i].astype(int), predicted[known, i]
            assert rows[name]["f1"] == pytest.approx(f1_score(right, decided))
            assert rows[name]["precision"] == pytest.approx(precision_score(right, decided))
            assert rows[name]["base_rate"] == pytest.approx(right.mean())
            assert rows[name]["floor"] == pytest.approx(2 * right.mean() / (1 + right.mean()))
        frames = pd.concat([fold.predictions for fold in folds])
        known = ~np.isnan(truth[:, 0])
        assert rows["AU01"]["coverage"] == pytest.approx((frames["status"] == "detected").to_numpy()[known].mean())
        labels = [rows[name]["f1"] for name in ("AU01", "AU06", "AU12")]
        assert rows["mean"]["f1"] == pytest.approx(np.mean(labels))


def test_a_summary_of_pooled_folds(metrics):
    table, summary = summarize(metrics, "loso", 300, pooled=True)
    plain, _ = summarize(metrics, "loso", 0)
    rows = table.set_index("label")
    by_seed = [pooled_rows([m for m in metrics if m["seed"] == seed]) for seed in SEEDS]
    for name in ("AU01", "AU12", "mean"):
        values = [of_seed[name]["f1"] for of_seed in by_seed]
        assert rows.loc[name, "f1"] == pytest.approx(np.mean(values), abs=6e-5)
        assert rows.loc[name, "sd_seeds"] == pytest.approx(np.std(values, ddof=1), abs=6e-5)
        assert rows.loc[name, "ci_low"] < rows.loc[name, "f1"] < rows.loc[name, "ci_high"]
    assert not np.isclose(rows.loc["AU01", "f1"], plain.set_index("label").loc["AU01", "f1"], atol=1e-3)
    assert rows["f1_fold4"].notna().all()
    assert rows[["f1_field", "f1_field_max", "f1_within_activity"]].isna().all(axis=None)
    assert rows[["activity_only", "f1_faces", "floor", "auc", "coverage"]].notna().all(axis=None)
    assert summary["pooled"] is True
    assert [len(fold["subjects"]) for fold in summary["folds"]] == [1] * 5
    assert "folds: 5, counts of all together" in str(format_summary(summary).title)


def test_the_interval_draws_subjects_and_not_folds(metrics):
    """With one subject a fold, drawing within folds would draw nobody anew."""
    within = summarize(metrics, "run", 200)[0].set_index("label").loc["AU06"]
    over_all = summarize(metrics, "run", 200, pooled=True)[0].set_index("label").loc["AU06"]
    assert within["ci_low"] == within["ci_high"]
    assert over_all["ci_high"] - over_all["ci_low"] > 0.01


def test_a_subject_without_a_label_counts_by_its_false_alarms_only(metrics):
    folds = [m for m in metrics if m["seed"] == 0]
    shown = pooled_rows(folds[1:])["AU06"]["f1"]
    for unit in folds[0]["counts"]:
        unit["tp"][1], unit["fp"][1], unit["fn"][1] = 0, 0, 0
    assert pooled_rows(folds)["AU06"]["f1"] == pytest.approx(shown)


def test_expressions_pool_their_accuracy(expression_tables):
    halves = [expression_tables(seed) for seed in (0, 1)]
    folds = [score_fold(*half.parts(), EvaluateParams()) for half in halves]
    classes = list(halves[0].labels.names)
    truth, decided = [], []
    for half in halves:
        probability = half.predictions[[f"p_{name}" for name in classes]].to_numpy()
        truth += half.test_labels["expression"].map(classes.index).tolist()
        decided += np.where(np.isnan(probability[:, 0]), -1, np.nan_to_num(probability).argmax(axis=1)).tolist()
    rows = pooled_rows(folds)
    assert rows["accuracy"]["f1"] == pytest.approx(accuracy_score(truth, decided))
    assert rows["accuracy"]["floor"] > 0


def test_coverage_is_the_share_of_all_frames_whatever_fold_they_are_in(action_unit_tables):
    folds = [
        action_unit_tables(0, ("F001", "F002", "F003", "M001"), ("M002",)),
        action_unit_tables(1, ("M002",), ("F001",)),
    ]
    rows = pooled_rows([score_fold(*fold.parts(), EvaluateParams()) for fold in folds])
    truth, _ = together(folds)
    detected = pd.concat([fold.predictions for fold in folds])["status"].to_numpy() == "detected"
    by_fold = [m.mean() for m in np.split(detected, [len(folds[0].predictions)])]
    assert by_fold[0] != pytest.approx(by_fold[1], abs=0.005)
    assert rows["AU01"]["coverage"] == pytest.approx(detected[~np.isnan(truth[:, 0])].mean())
