from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clef.evaluation.fold.bootstrap_units import BootstrapUnits, units_by_image
from clef.evaluation.fold.metrics import TP, accuracy, f1
from clef.evaluation.run import bootstrap
from clef.evaluation.run.bootstrap import Estimate, estimate, interval


def subjects(counts):
    counts = np.asarray(counts)
    names = tuple(f"F{i:03d}" for i in range(len(counts)))
    return BootstrapUnits("subjects", names, np.ones(len(counts), dtype=np.int64), counts)


def draw_subjects(rng, number):
    """Subjects with one label. They differ in how often they show it and how well the model finds it."""
    frames = 200
    present = rng.binomial(frames, rng.beta(2, 3, size=number))
    tp = rng.binomial(present, rng.beta(6, 2, size=number))
    fp = rng.binomial(frames - present, rng.beta(1, 6, size=number))
    return np.stack([tp, fp, present - tp, frames - present - fp], axis=-1)[:, None]


def other_seed(rng, counts):
    """The counts of another training: a few frames change sides."""
    lost, gained = rng.binomial(counts[..., 0], 0.1), rng.binomial(counts[..., 2], 0.2)
    return counts + np.stack([gained - lost, 0 * lost, lost - gained, 0 * lost], axis=-1)


def crossed(seed, sizes=(9, 6, 7), seeds=3):
    """Units of each fold under each seed."""
    rng = np.random.default_rng(seed)
    counts = [draw_subjects(rng, size) for size in sizes]
    return [[subjects(other_seed(rng, of_fold)) for _ in range(seeds)] for of_fold in counts]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_is_the_one_of_scipy_for_the_same_draws(seeds):
    """SciPy resamples indices: of the subjects of each fold, and of the seeds."""
    folds = crossed(1, seeds=seeds)
    found = estimate(folds, range(seeds), f1, 400)

    def statistic(*samples):
        *picked, drawn_seeds = samples
        by_fold = [
            np.mean([f1(of_fold[seed].counts[units].sum(axis=0))[0] for seed in drawn_seeds])
            for units, of_fold in zip(picked, folds, strict=True)
        ]
        return np.mean(by_fold)

    samples = [np.arange(len(of_fold[0].number)) for of_fold in folds]
    # SciPy needs two values in a sample. Two equal seeds are one.
    samples.append(np.arange(seeds) if seeds > 1 else np.zeros(2, dtype=int))
    options = {"vectorized": False, "n_resamples": 0, "method": "BCa"}
    drawn = SimpleNamespace(bootstrap_distribution=found.draws[:, 0])
    expected = stats.bootstrap(samples, statistic, bootstrap_result=drawn, **options).confidence_interval
    assert found.point[0] == pytest.approx(statistic(*samples))
    np.testing.assert_allclose(np.ravel(interval(found)), expected, rtol=1e-10)


def test_images_have_the_interval_of_single_images():
    """SciPy leaves out each image; here one of a group of equal images stands for all."""
    confusion = np.array([[30, 12, 1, 2], [6, 11, 0, 1], [1, 2, 4, 0]])
    units = units_by_image(confusion)
    single = np.repeat(np.arange(len(units.number)), units.number)
    found = estimate([[units]], [0], lambda counts: accuracy(counts)[..., None], 300)

    def statistic(images):
        return accuracy(units.counts[single[images]].sum(axis=0))

    drawn = SimpleNamespace(bootstrap_distribution=found.draws[:, 0])
    options = {"vectorized": False, "n_resamples": 0, "method": "BCa", "bootstrap_result": drawn}
    expected = stats.bootstrap([np.arange(len(single))], statistic, **options).confidence_interval
    np.testing.assert_allclose(np.ravel(interval(found)), expected, rtol=1e-10)


def test_draws_are_those_of_a_plain_loop():
    """All but one of the subjects and seeds are drawn, so that few of them have their whole variance."""
    folds = crossed(2, seeds=3)
    found = estimate(folds, [4, 7, 9], f1, 50, stream=3)
    drawn_seeds = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(4, 7, 9))).integers(3, size=(2, 50))
    picks = [
        np.random.default_rng([3, i]).integers(len(fold[0].names), size=(50, len(fold[0].names) - 1))
        for i, fold in enumerate(folds)
    ]
    for draw in range(50):
        by_fold = [
            np.mean([f1(fold[seed].counts[own[draw]].sum(axis=0)) for seed in drawn_seeds[:, draw]])
            for fold, own in zip(folds, picks, strict=True)
        ]
        assert found.draws[draw, 0] == pytest.approx(np.mean(by_fold))


def test_95_percent_intervals_cover_the_truth_more_often_than_percentiles_do():
    """200 studies with 3 folds of 9 people and 6 labels; the truth is the mean F1 of the whole population."""
    rng = np.random.default_rng(7)

    def draw(number):
        return np.concatenate([draw_subjects(rng, number) for _ in range(6)], axis=1)

    def mean_f1(counts):
        return f1(counts).mean(axis=-1, keepdims=True)

    population = mean_f1(draw(50_000).sum(axis=0))[0]
    too_low, missed = np.zeros(2), np.zeros(2)  # percentiles, BCa
    for stream in range(200):
        found = estimate([[subjects(draw(9))] for _ in range(3)], [0], mean_f1, 300, stream)
        low, high = np.transpose([np.quantile(found.draws, [0.025, 0.975]), np.ravel(interval(found))])
        too_low += high < population
        missed += (high < population) | (population < low)
    assert missed[1] / 200 <= 0.1
    assert too_low[1] < too_low[0]


def test_whole_subjects_are_drawn():
    """Of three subjects, a draw holds one twice or two of them, and never a mixture of their frames."""
    three = subjects([[[10, 0, 0, 0]], [[10, 0, 0, 0]], [[0, 0, 10, 0]]])
    seen = []
    estimate([[three]], [0], lambda counts: seen.append(counts) or f1(counts), 500)
    drawn = next(counts for counts in seen if len(counts) == 500)
    assert (drawn.sum(axis=-1) == 20).all()
    assert sorted(set(drawn[:, 0, TP])) == [0, 10, 20]
    shares = [(drawn[:, 0, TP] == value).mean() for value in (0, 10, 20)]
    np.testing.assert_allclose(shares, [1 / 9, 4 / 9, 4 / 9], atol=0.08)


def test_seeds_share_their_subjects_and_folds_do_not():
    """Three equal seeds have the interval of one; three equal folds narrow it by about the square root of three."""
    images = units_by_image(np.array([[50, 20, 5], [10, 30, 2]]))
    for units in (subjects(draw_subjects(np.random.default_rng(8), 10)), images):
        one, three = (interval(estimate([[units] * seeds], range(seeds), f1, 200)) for seeds in (1, 3))
        np.testing.assert_allclose(one, three, rtol=1e-12)
    units = subjects(draw_subjects(np.random.default_rng(9), 14))
    width = [np.ptp(interval(estimate([[units]] * folds, [0], f1, 4000))) for folds in (1, 3)]
    assert width[0] / width[1] == pytest.approx(np.sqrt(3), rel=0.1)


def test_seeds_are_drawn_with_replacement_and_the_same_in_all_folds():
    """With one subject per fold, only seeds vary. If folds drew their own, draws would also be 0.25 and 0.75."""
    good, bad = subjects([[[10, 0, 0, 0]]]), subjects([[[0, 0, 10, 0]]])
    found = estimate([[good, bad, bad], [good, bad, bad]], [0, 1, 2], f1, 400)
    values, numbers = np.unique(found.draws, return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(numbers / 400, [4 / 9, 4 / 9, 1 / 9], atol=0.08)
    assert [end[0] for end in interval(found)] == [0, 1]


def test_runs_with_the_same_seeds_are_paired_and_others_are_not():
    folds = crossed(3)
    same, other = (estimate(folds, seeds, f1, 200) for seeds in ([0, 1, 2], [0, 1, 3]))
    equal = same - estimate(folds, [0, 1, 2], f1, 200)
    assert (equal.draws == 0).all()
    assert interval(equal) == ([0], [0])
    assert np.ptp((same - other).draws) > 0


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_difference_is_the_estimate_of_the_differences(seed):
    first, second = crossed(seed), crossed(seed + 1)
    both = [
        [
            BootstrapUnits("subjects", a.names, a.number, np.concatenate([a.counts, b.counts], axis=1))
            for a, b in zip(*fold, strict=True)
        ]
        for fold in zip(first, second, strict=True)
    ]
    together = estimate(both, range(3), lambda counts: -np.diff(f1(counts), axis=-1), 100)
    subtracted = estimate(first, range(3), f1, 100) - estimate(second, range(3), f1, 100)
    np.testing.assert_allclose(interval(together), interval(subtracted), atol=1e-12)


def test_equal_streams_give_equal_draws_for_any_block_size(monkeypatch):
    folds = crossed(10)
    whole = estimate(folds, range(3), f1, 100, stream=3).draws
    np.testing.assert_array_equal(whole, estimate(folds, range(3), f1, 100, stream=3).draws)
    assert (whole != estimate(folds, range(3), f1, 100, stream=4).draws).any()
    monkeypatch.setattr(bootstrap, "BLOCK", 14 * 7)
    np.testing.assert_array_equal(whole, estimate(folds, range(3), f1, 100, stream=3).draws)


@pytest.mark.parametrize(
    ("point", "draws", "expected"),
    [
        (0.4, [0.4, 0.4, 0.4 + 1e-16], [0.4, 0.4]),
        (0.4, [0.3, 0.2, 0.1], [0.3, 0.3]),
        (0.4, [0.5, 0.6, 0.7], [0.5, 0.5]),
        (0.4, [], [np.nan, np.nan]),
        (np.nan, [np.nan, np.nan], [np.nan, np.nan]),
        (0.4, [np.nan, 0.4], [0.4, 0.4]),
    ],
    ids=["all equal", "all below", "all above", "none", "undefined", "some undefined"],
)
def test_odd_draws_have_an_interval_all_the_same(point, draws, expected):
    value = Estimate(np.array([point]), np.array(draws).reshape(-1, 1), {"fold 0": np.zeros((3, 1))})
    assert np.ravel(interval(value)) == pytest.approx(expected, abs=1e-3, nan_ok=True)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_ends_are_in_order_and_in_the_range_of_the_score(seed, number):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, size=(2, number, 3, 4)) * (rng.random((2, number, 3, 1)) < 0.6)
    low, high = interval(estimate([[subjects(of_fold)] for of_fold in counts], [0], f1, 50))
    known = ~np.isnan(low)
    assert (known == ~np.isnan(high)).all()
    assert ((low >= 0) & (low <= high) & (high <= 1))[known].all()
