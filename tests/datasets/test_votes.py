import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.datasets import votes
from clef.datasets.ferplus import EMOTIONS, VOTES
from clef.datasets.readers.ferplus_votes import FOLDERS

TEN = len(VOTES)
SPLITS = list(FOLDERS)


def row(**given_votes: int) -> list[int]:
    return [given_votes.get(name.removeprefix("votes_"), 0) for name in VOTES]


def table(*rows: list[int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=VOTES)


def one_by_one(raw: list[int]) -> list[float] | None:
    """Compute the shares of one image vote by vote, as in FER+'s code."""
    left = [vote if vote > 1 else 0 for vote in raw]
    total, taken, held, open_ = sum(left), [0.0] * TEN, 0, True
    number = 0
    while held < 0.75 * total and number < 3 and open_:
        most = max(left)
        for place in range(TEN):
            if left[place] != most:
                continue
            taken[place], left[place] = most, 0
            held, number = held + most, number + 1
            if place >= len(EMOTIONS):
                open_ = False
                if sum(taken) > most:
                    taken[place], number = 0, number - 1
                break
    if sum(taken) <= 0.5 * total or number > 3 or np.argmax(taken) >= len(EMOTIONS):
        return None
    return [value / sum(taken[: len(EMOTIONS)]) for value in taken[: len(EMOTIONS)]]


@given(st.lists(st.lists(st.integers(0, 6), min_size=TEN, max_size=TEN), min_size=1, max_size=20))
def test_shares_are_those_of_the_slow_version(rows):
    shares = votes.probability(np.array(rows), len(EMOTIONS))
    for found, raw in zip(shares, rows, strict=True):
        expected = one_by_one(raw)
        if expected is None:
            assert np.isnan(found).all()
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("raw", "majority", "plurality"),
    [
        (row(fear=6, surprise=4), "fear", "fear"),
        (row(fear=5, surprise=5), None, "surprise"),  # the first of two
        (row(fear=4, surprise=3, anger=1, sadness=1, neutral=1), "fear", "fear"),  # single votes do not count
        (row(unknown=6, anger=4), None, None),
        (row(no_face=10), None, None),
        (row(neutral=1, fear=1, anger=1), None, "neutral"),
        (row(), None, "neutral"),
    ],
)
def test_the_class_of_a_row(raw, majority, plurality):
    assert votes.classes(table(raw), "majority").tolist() == [majority]
    assert votes.classes(table(raw), "probability").tolist() == [majority]
    assert votes.classes(table(raw), "plurality").tolist() == [plurality]


def test_distributions_are_over_the_expressions_of_the_run():
    rows = table(row(fear=6, surprise=4), row(contempt=8, fear=2), row(contempt=10), row(no_face=10))
    shares = votes.distributions(rows, ["surprise", "fear", "neutral"])
    np.testing.assert_allclose(shares[0], [0.4, 0.6, 0.0], rtol=1e-6)
    turned = rows[list(reversed(rows.columns))].assign(frame=0)
    np.testing.assert_array_equal(votes.distributions(turned, ["surprise", "fear", "neutral"]), shares)
    assert np.isnan(shares[1:]).all()  # contempt alone has enough votes, and the run does not use it
