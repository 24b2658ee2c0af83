import itertools

import pytest

from clef.demo.behaviour import ACTION_UNITS, EXPRESSION_SHARES, EXPRESSIONS, RATES, subject_ids
from clef.params.schema import ACTION_UNITS_BP4D


def test_subjects_are_half_women_and_half_men():
    assert subject_ids(5) == ["F001", "F002", "F003", "M001", "M002"]


def test_activities_differ_but_none_determines_an_action_unit():
    assert list(ACTION_UNITS) == ACTION_UNITS_BP4D
    assert all(len(rates) == len(ACTION_UNITS) for rates in RATES.values())
    assert all(0.05 <= rate <= 0.8 for rates in RATES.values() for rate in rates)
    for one, other in itertools.combinations(RATES.values(), 2):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 0.2


def test_expression_shares_add_up():
    assert set(EXPRESSION_SHARES) == set(EXPRESSIONS)
    assert sum(EXPRESSION_SHARES.values()) == pytest.approx(1)
