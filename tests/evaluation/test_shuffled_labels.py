"""Predictions that know nothing about the labels score no higher than baselines that do not see the face.

`tests/training/test_stages.py` has a training with shuffled labels.
"""

import numpy as np
import pytest

from clef.evaluation.run.summary import summarize
from clef.evaluation.run.terminal_summary import verdict
from tests.evaluation.conftest import action_unit_tables, expression_tables

SUBJECTS = tuple(f"F{i:03d}" for i in range(10, 22))


def shuffled(tables, names):
    """Permute the labels of the test frames, each column by itself."""
    rng = np.random.default_rng(5)
    permuted = {name: rng.permutation(tables.test_labels[name].to_numpy()) for name in names}
    return tables.changed(test_labels=tables.test_labels.assign(**permuted))


def test_action_units_score_at_the_floor():
    tables = action_unit_tables(0, SUBJECTS)
    assert "is above the always-positive floor" in verdict(summarize([tables.score()], "run", 200)[1])
    tables = shuffled(tables, tables.labels.names)
    summary = summarize([tables.score()], "run", 200)[1]
    for name in (*tables.labels.names, "mean"):
        row = summary["rows"][name]
        assert row["f1"] <= row["floor"]
        assert row["auc"] == pytest.approx(0.5, abs=0.05)
        assert row["ap"] == pytest.approx(row["base_rate"], abs=0.05)
        assert summary["margins"]["floor"][name][0] <= 0
    assert "is NOT above the always-positive floor" in verdict(summary)


def test_expressions_score_at_chance():
    tables = shuffled(expression_tables(), ["expression"])
    rows = summarize([tables.score()], "run", 200)[1]["rows"]
    assert rows["mean_class_accuracy"]["f1"] == pytest.approx(1 / 3, abs=0.08)
    assert rows["accuracy"]["ci_low"] < rows["accuracy"]["f1"] < rows["accuracy"]["ci_high"]
    shares = [rows[name]["base_rate"] for name in tables.labels.names]
    assert rows["accuracy"]["f1"] < max(shares)
    assert rows["mean"]["auc"] == pytest.approx(0.5, abs=0.08)
