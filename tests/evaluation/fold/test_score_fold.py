import json

import numpy as np
import pandas as pd
import pytest

from clef.errors import ClefError
from clef.evaluation.fold.score_fold import score_fold
from clef.params.schema import EvaluateParams


def scored(tables, **settings):
    return score_fold(*tables.parts(), EvaluateParams(**settings))


def test_metrics_are_plain_and_rounded(action_unit_tables):
    metrics = scored(action_unit_tables())
    text = json.dumps(metrics, allow_nan=False)
    assert json.loads(text) == metrics
    assert metrics["rows"]["mean"]["f1"] == round(metrics["rows"]["mean"]["f1"], 6)
    assert metrics["rows"]["mean"]["positives"] is None


def test_what_the_metrics_are_about(action_unit_tables):
    tables = action_unit_tables()
    metrics = scored(tables, threshold=0.4)
    assert metrics["dataset"] == "bp4d"
    assert metrics["kind"] == "action_units"
    assert metrics["labels"] == ["AU01", "AU06", "AU12"]
    assert metrics["threshold"] == 0.4
    assert metrics["last_epoch"] == 3
    assert metrics["subjects"] == ["F001", "F002", "M001"]
    known = tables.test_labels[tables.labels.names].notna().any(axis=1).to_numpy()
    assert metrics["frames"] == known.sum()
    assert metrics["status"] == tables.predictions.loc[known, "status"].value_counts().to_dict()


def test_the_threshold_is_the_given_one(action_unit_tables):
    tables = action_unit_tables()
    never = scored(tables, threshold=1.0)["rows"]["mean"]
    always = scored(tables, threshold=0.0)["rows"]["mean"]
    assert never["recall"] < 0.2
    assert always["recall"] == pytest.approx(always["coverage"], abs=0.05)


def test_the_headline_follows_from_the_counts_kept_for_the_bootstrap(action_unit_tables):
    metrics = scored(action_unit_tables())
    for i, name in enumerate(metrics["labels"]):
        tp, fp, fn = (sum(unit[cell][i] for unit in metrics["counts"]) for cell in ("tp", "fp", "fn"))
        assert metrics["rows"][name]["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-6)


def test_the_order_of_rows_changes_nothing(action_unit_tables, expression_tables):
    for tables in (action_unit_tables(), expression_tables()):
        shuffled = tables.but(
            predictions=tables.predictions.sample(frac=1, random_state=1),
            epochs=tables.epochs.sample(frac=1, random_state=2),
            test_labels=tables.test_labels.sample(frac=1, random_state=3),
        )
        assert scored(shuffled) == scored(tables)


def test_expressions(expression_tables):
    metrics = scored(expression_tables())
    assert list(metrics["rows"]) == ["happiness", "sadness", "fear", "mean", "accuracy"]
    assert metrics["subjects"] == []
    assert metrics["threshold"] is None
    assert np.array(metrics["confusion"]).shape == (3, 4)
    assert 0.3 < metrics["rows"]["accuracy"]["f1"] < 1


def test_no_face_anywhere_scores_zero_instead_of_failing(action_unit_tables):
    tables = action_unit_tables()
    blank = tables.predictions.copy()
    blank[[f"p_{name}" for name in tables.labels.names]] = np.nan
    metrics = scored(tables.but(predictions=blank, epochs=tables.epochs.iloc[:0]))
    assert metrics["rows"]["mean"]["f1"] == 0
    assert metrics["rows"]["mean"]["coverage"] == 0
    assert metrics["rows"]["mean"]["f1_faces"] is None


def test_two_data_sets_in_one_fold_are_refused(action_unit_tables):
    tables = action_unit_tables()
    predictions = tables.predictions.copy()
    predictions["dataset"] = np.where(predictions["subject"] == "F001", "disfa", "bp4d")
    with pytest.raises(ClefError, match="bp4d, disfa; expected one"):
        scored(tables.but(predictions=pd.DataFrame(predictions)))
