import itertools

import pytest

from clef.demo.behaviour import (
    ACTION_UNITS,
    ACTIVITIES,
    CO_OCCURRENCE,
    EXPRESSION_SHARES,
    EXPRESSIONS,
    RATES,
    UPPER_FACE,
    subject_ids,
)
from clef.params.schema import ACTION_UNITS_BP4D, RenderParams


def test_subjects_are_half_women_half_men():
    assert subject_ids(5) == ["F001", "F002", "F003", "M001", "M002"]
    assert len(set(subject_ids(RenderParams().subjects))) == RenderParams().subjects


def test_tables_cover_the_coded_action_units():
    assert list(ACTION_UNITS) == ACTION_UNITS_BP4D
    assert set(UPPER_FACE) < set(ACTION_UNITS)
    assert list(RATES) == list(ACTIVITIES.values())
    assert len(ACTIVITIES) == RenderParams().activities
    assert all(len(rates) == len(ACTION_UNITS) for rates in RATES.values())
    assert {number for pair in CO_OCCURRENCE for number in pair} <= set(ACTION_UNITS)
    assert set(EXPRESSION_SHARES) == set(EXPRESSIONS)
    assert sum(EXPRESSION_SHARES.values()) == pytest.approx(1)


def test_activities_differ_but_none_gives_an_action_unit_away():
    assert all(0.05 <= rate <= 0.8 for rates in RATES.values() for rate in rates)
    for one, other in itertools.combinations(RATES.values(), 2):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 0.2
