"""Summaries as `clef summarize` hands them to the plots."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.run.summary import summarize
from clef.params.schema import EvaluateParams
from tests.evaluation.conftest import action_unit_tables, expression_tables

__all__ = ["action_unit_tables", "expression_tables"]

Scored = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture
def action_units(action_unit_tables) -> Scored:
    metrics = [score_fold(*action_unit_tables().parts(), EvaluateParams()) | {"seed": 0, "fold": 0}]
    return summarize(metrics, "bp4d", 50)[1], metrics


@pytest.fixture
def expressions(expression_tables) -> Scored:
    metrics = [score_fold(*expression_tables().parts(), EvaluateParams()) | {"seed": 0, "fold": 0}]
    return summarize(metrics, "raf-db", 50)[1], metrics


@pytest.fixture
def with_labels(action_units) -> Callable[..., dict[str, Any]]:
    """The summary with so many labels, all with the same numbers but those given."""

    def change(number: int, **rows: dict[str, Any]) -> dict[str, Any]:
        summary = copy.deepcopy(action_units[0])
        summary["labels"] = [f"AU{i:02d}" for i in range(1, number + 1)]
        row = summary["rows"]["AU06"]
        mean = summary["rows"]["mean"]
        summary["rows"] = {label: row | rows.get(label, {}) for label in summary["labels"]} | {"mean": mean}
        return summary

    return change
