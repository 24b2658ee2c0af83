"""Summaries as `clef summarize` passes them to the plots."""

from typing import Any

import pytest

from clef.evaluation.run.summary import summarize
from tests.evaluation.conftest import action_unit_tables, expression_tables

Scored = tuple[dict[str, Any], list[dict[str, Any]]]


def scored(tables: Any, run: str) -> Scored:
    metrics = [tables.score()]
    return summarize(metrics, run, 50)[1], metrics


@pytest.fixture
def action_units() -> Scored:
    return scored(action_unit_tables(), "bp4d")


@pytest.fixture
def expressions() -> Scored:
    return scored(expression_tables(), "raf-db")
