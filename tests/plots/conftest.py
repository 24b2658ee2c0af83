"""Summaries as `clef summarize` passes them to the plots."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clef.evaluation.run.summary import summarize
from tests.evaluation.conftest import action_unit_tables, expression_tables

__all__ = ["action_unit_tables", "expression_tables"]

Scored = tuple[dict[str, Any], list[dict[str, Any]]]


def scored(tables: Any, run: str) -> Scored:
    metrics = [tables.score()]
    return summarize(metrics, run, 50)[1], metrics


@pytest.fixture
def action_units(action_unit_tables) -> Scored:
    return scored(action_unit_tables(), "bp4d")


@pytest.fixture
def expressions(expression_tables) -> Scored:
    return scored(expression_tables(), "raf-db")


@pytest.fixture
def with_labels(action_units) -> Callable[..., dict[str, Any]]:
    """Make a summary with a number of labels that all have the same values, except the given rows."""

    def change(number: int, **rows: dict[str, Any]) -> dict[str, Any]:
        summary = copy.deepcopy(action_units[0])
        summary["labels"] = [f"AU{i:02d}" for i in range(1, number + 1)]
        row, mean = summary["rows"]["AU06"], summary["rows"]["mean"]
        summary["rows"] = {label: row | rows.get(label, {}) for label in summary["labels"]} | {"mean": mean}
        return summary

    return change
