import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clef.comparison.differences import METRICS, compare, t_interval
from clef.comparison.finished_run import FinishedRun, read_run
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import f1
from tests.comparison.conftest import make_run, two_runs

RESAMPLES = 200


def counts_of(run, seed, fold):
    return BootstrapUnits.from_records("subjects", run.grid[seed][fold]["counts"]).counts


def interval_in_loops(first, other):
    """The interval of the difference in mean F1, one draw at a time."""
    seeds = list(first.grid)

    def difference(*picked):
        by_fold = []
        for fold, subjects in zip(first.folds, picked[:-1], strict=True):
            own, others = (
                np.mean([f1(counts_of(run, seeds[i], fold)[subjects].sum(axis=0)) for i in picked[-1]])
                for run in (first, other)
            )
            by_fold.append(others - own)
        return np.mean(by_fold)

    numbers = [len(counts_of(first, seeds[0], fold)) for fold in first.folds]
    generators = [np.random.default_rng([0, i]) for i in range(len(numbers))]
    subjects = [rng.integers(n, size=(RESAMPLES, n - 1)) for rng, n in zip(generators, numbers, strict=True)]
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=tuple(seeds)))
    drawn_seeds = rng.integers(len(seeds), size=(len(seeds) - 1, RESAMPLES)).T
    draws = np.array([difference(*picked) for picked in zip(*subjects, drawn_seeds, strict=True)])
    samples = [np.arange(n) for n in (*numbers, len(seeds))]
    options = {"vectorized": False, "n_resamples": 0, "bootstrap_result": SimpleNamespace(bootstrap_distribution=draws)}
    return stats.bootstrap(samples, difference, method="BCa", **options).confidence_interval


def test_the_paired_interval_equals_one_computed_in_loops_and_by_scipy():
    first, other = two_runs(1, seeds=(0, 3, 4))
    row = compare([first, other], resamples=RESAMPLES).others[0].rows["mean"]
    np.testing.assert_allclose([row.low, row.high], interval_in_loops(first, other), rtol=1e-10)


def test_differences_by_seed_are_those_of_runs_with_one_seed():
    first, other = two_runs(3, seeds=(0, 1, 5))
    compared = compare([first, other], resamples=20).others[0]
    assert list(compared.seeds) == [0, 1, 5]
    for seed, difference in compared.seeds.items():
        alone = [replace(run, grid={seed: run.grid[seed]}) for run in (first, other)]
        assert compare(alone, resamples=0).others[0].rows["mean"].difference == pytest.approx(difference)
    assert np.mean([*compared.seeds.values()]) == pytest.approx(compared.rows["mean"].difference)
    assert list(compare([first, replace(other, grid={5: other.grid[5]})], resamples=20).others[0].seeds) == [5]


def test_more_seeds_that_differ_widen_the_interval_unless_both_runs_share_them():
    """The other run is better by a constant, but each seed shifts both runs alike."""

    def run(name, hits):
        counts = {seed: {0: np.array([[[n, 60 - n, 60 - n, n]]] * 4)} for seed, n in hits.items()}
        return make_run(name, counts)

    first, other = run("first", {0: 20, 1: 30, 2: 40}), run("other", {0: 25, 1: 35, 2: 45})
    unpaired = run("other", {0: 25, 1: 35, 3: 45})
    rows = [compare([first, each], resamples=200).others[0].rows["mean"] for each in (other, unpaired)]
    assert rows[0].high - rows[0].low < 0.01
    assert rows[1].high - rows[1].low > 0.2


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), metric=st.sampled_from(sorted(METRICS)))
def test_swapping_the_runs_negates_everything(seed, metric):
    first, other = two_runs(seed)
    forward = compare([first, other], metric, RESAMPLES).others[0].rows
    backward = compare([other, first], metric, RESAMPLES).others[0].rows
    for label, row in forward.items():
        negated = [-backward[label].difference, -backward[label].high, -backward[label].low]
        assert [row.difference, row.low, row.high] == pytest.approx(negated, abs=1e-12)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_the_order_of_subjects_does_not_matter(seed, order):
    first, other = two_runs(seed)
    shuffled = {0: {fold: m | {"counts": [m["counts"][i] for i in order]} for fold, m in other.grid[0].items()}}
    mixed = FinishedRun("other", other.folder, other.summary, shuffled)
    assert compare([first, other], resamples=50) == compare([first, mixed], resamples=50)


def test_wins_are_counted_by_fold_and_by_label():
    def run(name, *folds):
        counts = [np.array([[[hits, misses, misses, hits] for hits, misses in fold]]) for fold in folds]
        return make_run(name, {0: dict(enumerate(counts))})

    first = run("first", [(5, 5), (5, 5)], [(8, 2), (8, 2)])
    other = run("other", [(9, 1), (6, 4)], [(7, 3), (5, 5)])
    compared = compare([first, other], resamples=20).others[0]
    assert (compared.folds_won, compared.labels_won) == (1, 1)
    assert compared.rows["AU01"].difference == pytest.approx((0.9 + 0.7) / 2 - (0.5 + 0.8) / 2)
    assert compared.rows["mean"].difference == pytest.approx((0.75 + 0.6) / 2 - (0.5 + 0.8) / 2)


def test_each_of_several_runs_is_compared_as_in_a_pair():
    first, other = two_runs(8)
    _, third = two_runs(8, gain=0.18)
    pairs = [compare([first, run], resamples=50).others[0] for run in (other, third)]
    assert compare([first, other, third], resamples=50).others == pairs


def test_only_common_labels_are_compared():
    first, other = two_runs(9)
    counts = {fold: counts_of(other, 0, fold)[:, [2, 0]] for fold in other.folds}
    fewer = make_run("fewer", {0: counts}, labels=["AU03", "AU01"])
    comparison = compare([first, fewer], resamples=RESAMPLES)
    assert comparison.labels == ["AU01", "AU03"]
    rows = comparison.others[0].rows
    assert rows["AU03"] == compare([first, other], resamples=RESAMPLES).others[0].rows["AU03"]
    assert rows["mean"].difference == pytest.approx((rows["AU01"].difference + rows["AU03"].difference) / 2)


def finished_runs(finish, results, **options):
    for number, name in enumerate(("first", "other")):
        finish(name, skip=2 * number, **options)
    return [read_run(name, results) for name in ("first", "other")]


def test_values_equal_those_of_the_summaries(finish, tmp_path):
    runs = finished_runs(finish, tmp_path / "results", seeds=(0, 1))
    for label, row in compare(runs, resamples=10).others[0].rows.items():
        expected = [run.summary["rows"][label]["f1"] for run in runs]
        assert [row.first, row.other] == pytest.approx(expected, abs=6e-5)


def test_images_of_each_run_are_resampled_separately(finish, tmp_path):
    """The variance of the difference is the sum of both."""
    runs = finished_runs(finish, tmp_path / "results", kind="expressions")
    comparison = compare(runs, resamples=4000)
    row = comparison.others[0].rows["accuracy"]
    assert comparison.headline == "accuracy"
    assert row.first == pytest.approx(runs[0].summary["rows"]["accuracy"]["f1"], abs=6e-5)
    error = np.sqrt(sum(p * (1 - p) / 200 for p in (row.first, row.other)))
    assert row.high - row.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_the_t_interval_leaves_out_unknown_folds_and_needs_two():
    assert t_interval([0.1, math.nan, 0.3]) == t_interval([0.1, 0.3])
    assert t_interval([0.1, 0.3]) == pytest.approx((0.2 - 1.2706, 0.2 + 1.2706), abs=1e-4)
    assert all(math.isnan(end) for folds in ([], [0.1], [0.1, math.nan]) for end in t_interval(folds))
