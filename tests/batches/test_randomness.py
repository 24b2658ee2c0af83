import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clef.batches.randomness import integers, permutation, uniform

WORDS = st.integers(-(2**70), 2**70)


def test_known_values():
    # A change of these changes all results, and a resumed run would continue with other batches.
    assert float(uniform(0, "a")) == 0.5746592142106529
    assert float(uniform(-1, "a", 2**70, -3)) == 0.4575146737538325
    expected = [0.8445595798963795, 0.4699166132980507, 0.5725899047732526, 0.7816295782961462]
    assert uniform(7, "rotation", 3, np.arange(4)).tolist() == expected
    assert permutation(7, "epoch", 2, 10).tolist() == [0, 5, 1, 2, 3, 9, 6, 7, 4, 8]
    assert integers(7, "clip", np.arange(8), high=5).tolist() == [2, 0, 4, 3, 1, 0, 4, 1]


def test_draws_are_uniform():
    many = np.arange(20_000)
    by_seed = np.array([uniform(int(seed), "x", 5) for seed in many])
    for draws in (uniform(1, "x", 5, many), uniform(1, "x", many, 5), by_seed):
        assert draws.min() >= 0
        assert draws.max() < 1
        assert stats.kstest(draws, "uniform").pvalue > 0.01
        low_bits = (draws * 2**53).astype(np.int64) % 16  # the weakest bits of a hash that shifts and multiplies
        assert stats.chisquare(np.bincount(low_bits, minlength=16)).pvalue > 0.01


def test_neighbouring_seeds_streams_and_counters_are_independent():
    many = np.arange(10_000)
    sequences = {
        "base": uniform(0, "x", 0, many),
        "seed": uniform(1, "x", 0, many),
        "stream": uniform(0, "y", 0, many),
        "counter": uniform(0, "x", 1, many),
        "swapped": uniform(0, "x", many + 2, 0),
        "shorter": uniform(0, "x", many),
        "longer": uniform(0, "x", 0, many, 0),
        "shifted": uniform(0, "x", 0, many + 1),
    }
    for (one, first), (other, second) in combinations(sequences.items(), 2):
        cells = np.histogram2d(first, second, bins=10, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(cells.ravel()).pvalue > 1e-4, (one, other)
        assert not np.any(first == second), (one, other)


@given(seed=WORDS, counters=st.lists(WORDS, max_size=3))
def test_any_integers_give_a_draw_without_a_warning(seed, counters):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = uniform(seed, "x", *counters)
    assert value.shape == ()
    assert 0 <= value < 1
    with pytest.raises(TypeError, match="float64"):
        uniform(seed, "x", np.array([0.5]))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5), st.integers(0, 9))
def test_arrays_give_the_draws_of_their_elements(values, other):
    batch = uniform(3, "x", np.array(values)[:, None], np.array([other, other + 1]))
    assert batch.tolist() == [[float(uniform(3, "x", value, o)) for o in (other, other + 1)] for value in values]


def test_integers_and_permutations_are_uniform():
    draws = integers(0, "x", np.arange(7000), high=7)
    assert stats.chisquare(np.bincount(draws, minlength=7)).pvalue > 0.01
    high = np.arange(1, 2000)
    limited = integers(0, "x", high, high=high)
    assert limited.dtype == np.int64
    assert np.all((limited >= 0) & (limited < high))
    orders = np.array([permutation(0, "x", counter, 4) for counter in range(4800)])
    assert (np.sort(orders) == np.arange(4)).all()
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01
