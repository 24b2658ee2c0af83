import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.summary import summarize
from clef.evaluation.run.unit_scores import write_unit_tables
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables


def written(folder, metrics):
    summary = summarize(metrics, "run", 0)[1]
    write_unit_tables(folder, cross_validation(metrics), summary)
    return {path.stem: pd.read_csv(path, index_col=[0, 1]) for path in folder.glob("*.csv")}, summary


@pytest.mark.parametrize(("name", "unit"), [("subjects", "subject"), ("activities", "activity")])
def test_tables_have_the_scores_of_the_frames_of_each_unit_under_all_seeds(metrics, tmp_path, name, unit):
    tables, summary = written(tmp_path, metrics)
    table = tables[name]
    folds = [action_unit_tables(seed, *subjects) for seed in (0, 1, 2) for subjects in FOLDS]
    labels = pd.concat([fold.test_labels for fold in folds])
    predictions = pd.concat([fold.predictions for fold in folds])
    assert table.index.names == [unit, "label"]
    assert table.index.unique(unit).tolist() == [*sorted(labels[unit].unique()), "all"]
    for value in labels[unit].unique():
        f1 = []
        for label in summary["labels"]:
            rows = ((labels[unit] == value) & labels[label].notna()).to_numpy()
            truth, row = labels[label][rows], table.loc[value, label]
            f1.append(f1_score(truth, predictions[f"p_{label}"].fillna(0)[rows] >= 0.5))
            assert row["f1"] == pytest.approx(f1[-1], abs=6e-5)
            assert row["frames"] == len(truth) / 3, "frames are counted once, not for each seed"
            assert row["positives"] == truth.sum() / 3
        assert table.loc[value, "mean"]["f1"] == pytest.approx(np.mean(f1), abs=6e-5)
    for label, row in summary["rows"].items():
        assert table.loc["all", label]["f1"] == row["f1"]
        assert table.loc["all", label]["frames"] == row["frames"]
    assert table.loc["all", "AU01"]["frames"] == table.drop("all").xs("AU01", level="label")["frames"].sum()


def test_a_label_that_is_never_shown_has_no_f1(metrics, tmp_path):
    for fold in metrics:
        fold["counts_by_activity"]["T1"][0] = [0, 5, 0, 5]
    table = written(tmp_path, metrics)[0]["activities"]
    assert np.isnan(table.loc["T1", "AU01"]["f1"])
    assert table.loc["T1", "mean"]["f1"] == pytest.approx(table.loc["T1"].loc[["AU06", "AU12"], "f1"].mean(), abs=1e-4)


def test_images_without_subjects_and_activities_have_no_tables(tmp_path):
    assert written(tmp_path, [expression_tables().score()])[0] == {}


def test_expressions_of_subjects_have_accuracies(tmp_path):
    tables = expression_tables()
    subjects = np.where(np.arange(200) < 120, "ann", "bob")
    tables = tables.changed(predictions=tables.predictions.assign(subject=subjects))
    found, _ = written(tmp_path, [tables.score()])
    assert set(found) == {"subjects"}
    chosen = tables.predictions[["p_happiness", "p_sadness", "p_fear"]].fillna(-1).to_numpy()
    predicted = np.where(chosen.max(axis=1) < 0, -1, chosen.argmax(axis=1))
    truth = tables.test_labels["expression"].map({"happiness": 0, "sadness": 1, "fear": 2}).to_numpy()
    for subject in ("ann", "bob"):
        own = subjects == subject
        assert found["subjects"].loc[subject, "accuracy"]["f1"] == pytest.approx(
            accuracy_score(truth[own], predicted[own]), abs=6e-5
        )
