import itertools

from clef.demo.behaviour import ACTION_UNITS, RATES
from clef.params.schema import ACTION_UNITS_BP4D


def test_activities_differ_but_none_determines_an_action_unit():
    assert list(ACTION_UNITS) == ACTION_UNITS_BP4D
    assert all(0.05 <= rate <= 0.8 for rates in RATES.values() for rate in rates)
    for one, other in itertools.combinations(RATES.values(), 2):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 0.2
