import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clef.comparison.differences import METRICS, compare
from clef.comparison.finished import FinishedRun, read_run
from clef.errors import ClefError
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.metrics import FN, FP, TP
from clef.evaluation.run.bootstrap import bootstrap_interval
from tests.comparison.conftest import found, people, run_of

RESAMPLES = 200


def two_runs(seed, subjects=6, labels=3, folds=2, gain=0.1, seeds=(0,)):
    """Two runs tested on the same people, alike in whom they find hard."""
    rng = np.random.default_rng(seed)
    shown = {fold: people(rng, subjects, labels) for fold in range(folds)}
    easy = {fold: rng.beta(4, 3, size=(subjects, labels)) * 0.8 for fold in range(folds)}
    runs = []
    for name, better in (("first", 0.0), ("other", gain)):
        counts = {s: {fold: found(rng, shown[fold], easy[fold] + better) for fold in range(folds)} for s in seeds}
        runs.append(run_of(name, counts))
    return runs


def counts_of(run, seed, fold):
    units = run.grid[seed][fold]["counts"]
    return np.array([[unit[cell] for cell in ("tp", "fp", "fn", "tn")] for unit in units]).transpose(0, 2, 1)


def plainly(first, other, resamples, seed=0):
    """Mean F1 of one run less the other's, one draw at a time, in loops."""
    values = []
    generators = {fold: np.random.default_rng([seed, fold]) for fold in first.folds}
    for _ in range(resamples):
        of_folds = []
        for fold in first.folds:
            number = len(counts_of(first, 0, fold))
            picked = generators[fold].integers(number, size=number)
            of_runs = []
            for run in (first, other):
                of_seeds = []
                for training in run.grid:
                    counts = sum(counts_of(run, training, fold)[subject] for subject in picked)
                    f1 = [2 * c[TP] / (2 * c[TP] + c[FP] + c[FN]) if c[TP] + c[FP] + c[FN] else 0.0 for c in counts]
                    of_seeds.append(np.mean(f1))
                of_runs.append(np.mean(of_seeds))
            of_folds.append(of_runs[1] - of_runs[0])
        values.append(np.mean(of_folds))
    return np.quantile(values, [0.025, 0.975])


@pytest.mark.parametrize("seeds", [(0,), (0, 3)])
def test_the_paired_interval_is_that_of_the_plain_version(seeds):
    first, other = two_runs(1, seeds=seeds)
    row = compare([first, other], resamples=RESAMPLES).others[0].rows["mean"]
    np.testing.assert_allclose([row.low, row.high], plainly(first, other, RESAMPLES), rtol=1e-10)


def test_a_run_does_not_differ_from_itself():
    first, _ = two_runs(2)
    again = FinishedRun("again", first.folder, first.summary, first.grid)
    against = compare([first, again], resamples=RESAMPLES).others[0]
    for row in against.rows.values():
        assert (row.difference, row.low, row.high) == (0, 0, 0)
        assert not row.excludes_zero
    assert (against.folds_won, against.labels_won) == (0, 0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), metric=st.sampled_from(sorted(METRICS)))
def test_the_other_way_round_everything_is_negative(seed, metric):
    first, other = two_runs(seed)
    there = compare([first, other], metric, RESAMPLES).others[0].rows
    back = compare([other, first], metric, RESAMPLES).others[0].rows
    for label, row in there.items():
        assert row.difference == pytest.approx(-back[label].difference, abs=1e-12)
        assert row.low == pytest.approx(-back[label].high, abs=1e-12)
        assert row.high == pytest.approx(-back[label].low, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_the_order_of_subjects_means_nothing(seed, order):
    first, other = two_runs(seed)
    shuffled = {0: {fold: m | {"counts": [m["counts"][i] for i in order]} for fold, m in other.grid[0].items()}}
    mixed = FinishedRun("other", other.folder, other.summary, shuffled)
    assert compare([first, other], resamples=50) == compare([first, mixed], resamples=50)


def test_intervals_hold_the_true_difference_about_as_often_as_they_say():
    """Of 200 studies with 3 folds of 14 people, about 95 % hold the difference in the whole population."""
    rng = np.random.default_rng(5)

    def study(number, folds):
        shown = [people(rng, number, 1) for _ in range(folds)]
        easy = [rng.beta(4, 3, size=(number, 1)) * 0.8 for _ in range(folds)]
        return [
            run_of(name, {0: {i: found(rng, shown[i], easy[i] + gain) for i in range(folds)}})
            for name, gain in (("first", 0.0), ("other", 0.08))
        ]

    truth = compare(study(20_000, 1), resamples=0).others[0].rows["mean"].difference
    held = 0
    for _ in range(200):
        row = compare(study(14, 3), resamples=200, seed=int(rng.integers(2**31))).others[0].rows["mean"]
        held += row.low <= truth <= row.high
    assert truth > 0.04
    assert 0.88 <= held / 200 <= 0.99


def test_pairing_narrows_the_interval_where_runs_agree_on_who_is_hard():
    first, other = two_runs(6, subjects=14, folds=3)
    row = compare([first, other], resamples=1000).others[0].rows["AU01"]
    widths = []
    for run in (first, other):
        folds = [[BootstrapUnits.from_records("subjects", run.grid[0][fold]["counts"])] for fold in run.folds]
        low, high = bootstrap_interval(folds, METRICS["f1"], 1000)
        widths.append(high[0] - low[0])
    assert row.high - row.low < 0.8 * np.hypot(*widths)


def test_wins_are_counted_by_fold_and_by_label():
    first = run_of(
        "first", {0: {0: np.array([[[5, 5, 5, 5], [5, 5, 5, 5]]]), 1: np.array([[[8, 2, 2, 8], [8, 2, 2, 8]]])}}
    )
    other = run_of(
        "other", {0: {0: np.array([[[9, 1, 1, 9], [6, 4, 4, 6]]]), 1: np.array([[[7, 3, 3, 7], [5, 5, 5, 5]]])}}
    )
    against = compare([first, other], resamples=20).others[0]
    assert (against.folds_won, against.labels_won) == (1, 1)
    assert against.rows["AU01"].difference == pytest.approx((0.9 + 0.7) / 2 - (0.5 + 0.8) / 2)
    assert against.rows["mean"].difference == pytest.approx((0.75 + 0.6) / 2 - (0.5 + 0.8) / 2)


def test_seeds_are_averaged_before_runs_are_compared():
    first, other = two_runs(7, seeds=(0, 1, 2))
    one = FinishedRun("one", first.folder, first.summary, {1: first.grid[1]})
    means = []
    for seed in (0, 1, 2):
        of_folds = [METRICS["f1"](counts_of(other, seed, fold).sum(axis=0)).mean() for fold in other.folds]
        means.append(np.mean(of_folds))
    assert compare([one, other], resamples=0).others[0].rows["mean"].other == pytest.approx(np.mean(means))


def test_several_runs_are_each_compared_as_in_a_pair():
    first, other = two_runs(8)
    _, third = two_runs(8, gain=0.18)
    three = compare([first, other, third], resamples=RESAMPLES).others
    assert three[0] == compare([first, other], resamples=RESAMPLES).others[0]
    assert three[1] == compare([first, third], resamples=RESAMPLES).others[0]


def test_only_common_labels_are_compared():
    first, other = two_runs(9)
    counts = {fold: counts_of(other, 0, fold)[:, [2, 0]] for fold in other.folds}
    fewer = run_of("fewer", {0: counts}, labels=["AU03", "AU01"])
    comparison = compare([first, fewer], resamples=RESAMPLES)
    assert comparison.labels == ["AU01", "AU03"]
    assert comparison.left_out == {"first": ["AU02"]}
    whole = compare([first, other], resamples=RESAMPLES).others[0].rows
    rows = comparison.others[0].rows
    assert rows["AU03"] == whole["AU03"]
    assert rows["mean"].difference == pytest.approx((rows["AU01"].difference + rows["AU03"].difference) / 2)


def test_no_resamples_give_no_interval():
    row = compare(two_runs(10), resamples=0).others[0].rows["mean"]
    assert np.isnan([row.low, row.high]).all()
    assert not row.excludes_zero


def test_no_interval_is_made_up_for_what_the_counts_cannot_give():
    with pytest.raises(
        ClefError, match=r"auc does not follow from the counts .* expected one of f1, precision, recall"
    ):
        compare(two_runs(11), "auc")


def test_headlines_are_those_of_the_summaries(finish, tmp_path):
    for number, name in enumerate(("first", "other")):
        finish(name, seeds=(0, 1), skip=2 * number)
    runs = [read_run(name, tmp_path / "results") for name in ("first", "other")]
    for label, row in compare(runs, resamples=10).others[0].rows.items():
        assert row.first == pytest.approx(runs[0].summary["rows"][label]["f1"], abs=6e-5)
        assert row.other == pytest.approx(runs[1].summary["rows"][label]["f1"], abs=6e-5)


def test_images_are_drawn_run_by_run(finish, tmp_path):
    """With which image is which unknown, the variance of the difference is the sum of both."""
    for number, name in enumerate(("first", "other")):
        finish(name, kind="expressions", skip=number)
    runs = [read_run(name, tmp_path / "results") for name in ("first", "other")]
    comparison = compare(runs, resamples=4000)
    row = comparison.others[0].rows["accuracy"]
    assert not comparison.paired
    assert comparison.headline == "accuracy"
    assert row.first == pytest.approx(runs[0].summary["rows"]["accuracy"]["f1"], abs=6e-5)
    error = np.sqrt(sum(p * (1 - p) / 200 for p in (row.first, row.other)))
    assert row.high - row.low == pytest.approx(2 * 1.96 * error, rel=0.1)
