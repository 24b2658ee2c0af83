import numpy as np
import pytest

from clef.evaluation.fold.bootstrap_units import BootstrapUnits, units_by_image
from clef.evaluation.fold.metrics import TP, f1
from clef.evaluation.run import bootstrap
from clef.evaluation.run.bootstrap import bootstrap_values, percentile_interval


def bootstrap_interval(*arguments, **options):
    return percentile_interval(bootstrap_values(*arguments, **options))


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


def test_95_percent_intervals_cover_the_truth_about_95_percent_of_the_time():
    """200 studies with 3 folds of 14 people; the truth is the F1 of the whole population."""
    rng = np.random.default_rng(7)
    population = f1(draw_subjects(rng, 200_000).sum(axis=0))[0]
    covered = 0
    for _ in range(200):
        folds = [[subjects(draw_subjects(rng, 14))] for _ in range(3)]
        low, high = bootstrap_interval(folds, f1, 300, seed=int(rng.integers(2**31)))
        covered += low[0] <= population <= high[0]
    assert 0.88 <= covered / 200 <= 0.99


def test_whole_subjects_are_drawn():
    """With two subjects, a draw holds one of them twice or both, and never a mixture of their frames."""
    two = subjects([[[10, 0, 0, 0]], [[0, 0, 10, 0]]])
    seen = []
    bootstrap_interval([[two]], lambda counts: seen.append(counts) or f1(counts), 500)
    assert (seen[0].sum(axis=-1) == 20).all()
    assert sorted(set(seen[0][:, 0, TP])) == [0, 10, 20]
    shares = [(seen[0][:, 0, TP] == value).mean() for value in (0, 10, 20)]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=0.08)


def test_seeds_share_their_draws_and_folds_do_not():
    """Three equal seeds have the interval of one; three equal folds narrow it by about the square root of three."""
    images = units_by_image(np.array([[50, 20, 5], [10, 30, 2]]))
    for units in (subjects(draw_subjects(np.random.default_rng(8), 10)), images):
        one, three = (bootstrap_interval([[units] * seeds], f1, 200) for seeds in (1, 3))
        np.testing.assert_allclose(one, three, rtol=1e-12)
    units = subjects(draw_subjects(np.random.default_rng(9), 14))
    width = [np.ptp(bootstrap_interval([[units]] * folds, f1, 4000)) for folds in (1, 3)]
    assert width[0] / width[1] == pytest.approx(np.sqrt(3), rel=0.1)


def test_the_interval_depends_on_the_seed_and_not_on_the_block_size(monkeypatch):
    folds = [[subjects(draw_subjects(np.random.default_rng(10), 14))]]
    whole = bootstrap_interval(folds, f1, 100, seed=3)
    assert (whole[0] != bootstrap_interval(folds, f1, 100, seed=4)[0]).any()
    monkeypatch.setattr(bootstrap, "BLOCK", 14 * 7)
    np.testing.assert_array_equal(whole, bootstrap_interval(folds, f1, 100, seed=3))
