import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from clef.evaluation.run.fold_metrics import cross_validation
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.spread import spread
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables

ROWS = ["AU01", "AU06", "AU12", "mean"]


def test_folds_and_seeds_are_means_of_the_others(metrics):
    found = spread(cross_validation(metrics), ROWS, pooled=False)
    for row, name in enumerate(ROWS):
        f1 = np.array([[m["rows"][name]["f1"] for m in metrics if m["seed"] == seed] for seed in (0, 1, 2)])
        assert found.folds[:, row] == pytest.approx(f1.mean(axis=0))
        assert found.seeds[:, row] == pytest.approx(f1.mean(axis=1))


def test_a_subject_has_the_f1_of_its_own_frames_over_all_seeds(metrics):
    found = spread(cross_validation(metrics), ROWS, pooled=False)
    assert found.unit_names == ["F001", "F002", "F003", "M001", "M002"]
    tables = [action_unit_tables(seed, *subjects) for seed in (0, 1, 2) for subjects in FOLDS]
    labels = pd.concat([fold.test_labels for fold in tables])
    predictions = pd.concat([fold.predictions for fold in tables])
    for subject, values in zip(found.unit_names, found.units, strict=True):
        own = (labels["subject"] == subject).to_numpy()
        expected = []
        for name in ROWS[:3]:
            known = own & labels[name].notna().to_numpy()
            expected.append(f1_score(labels[name][known], predictions[f"p_{name}"].fillna(0)[known] >= 0.5))
        assert values == pytest.approx([*expected, np.mean(expected)])


def test_a_label_that_a_subject_never_shows_has_no_score_there(metrics):
    for fold in metrics:
        for unit in fold["counts"]:
            if unit["unit"] == "F002":
                unit.update(tp=[0, *unit["tp"][1:]], fn=[0, *unit["fn"][1:]])
    found = spread(cross_validation(metrics), ROWS, pooled=False)
    values = found.units[found.unit_names.index("F002")]
    assert np.isnan(values).tolist() == [True, False, False, False]
    assert values[3] == pytest.approx(values[1:3].mean())


def test_pooled_folds_are_subjects_so_only_seeds_and_subjects_remain():
    folds = [
        action_unit_tables(seed, (subject,), ("F009",)).score() | {"fold": number, "seed": seed}
        for seed in (0, 1)
        for number, subject in enumerate(("F001", "M001"))
    ]
    found = spread(cross_validation(folds), ROWS, pooled=True)
    assert found.folds.shape == (0, 4)
    for seed, values in enumerate(found.seeds):
        rows = pooled_rows([fold for fold in folds if fold["seed"] == seed])
        assert values == pytest.approx([rows[name]["f1"] for name in ROWS])


def test_images_have_no_names_and_a_subject_with_expressions_has_an_accuracy():
    rows = ["happiness", "sadness", "fear", "mean", "mean_class_accuracy", "accuracy"]
    tables = expression_tables()
    found = spread(cross_validation([tables.score()]), rows, pooled=False)
    assert (found.unit_names, found.units.shape) == ([], (0, 6))
    subjects = np.where(np.arange(200) < 120, "ann", "bob")
    tables = tables.changed(predictions=tables.predictions.assign(subject=subjects))
    found = spread(cross_validation([tables.score()]), rows, pooled=False)
    chosen = tables.predictions[["p_happiness", "p_sadness", "p_fear"]].fillna(-1).to_numpy()
    predicted = np.where(chosen.max(axis=1) < 0, -1, chosen.argmax(axis=1))
    truth = tables.test_labels["expression"].map({"happiness": 0, "sadness": 1, "fear": 2}).to_numpy()
    for subject, values in zip(found.unit_names, found.units, strict=True):
        own = subjects == subject
        assert values[4] == pytest.approx(balanced_accuracy_score(truth[own], predicted[own]))
        assert values[5] == pytest.approx(accuracy_score(truth[own], predicted[own]))
        assert values[0] == pytest.approx(f1_score(truth[own] == 0, predicted[own] == 0))
