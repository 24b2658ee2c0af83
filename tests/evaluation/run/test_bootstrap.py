import numpy as np
import pytest

from clef.evaluation.fold.bootstrap_units import BootstrapUnits, units_by_image
from clef.evaluation.fold.metrics import FN, FP, TN, TP, accuracy, f1
from clef.evaluation.run import bootstrap
from clef.evaluation.run.bootstrap import bootstrap_interval


def subjects(counts):
    counts = np.asarray(counts)
    names = tuple(f"F{i:03d}" for i in range(len(counts)))
    return BootstrapUnits("subjects", names, np.ones(len(counts), dtype=np.int64), counts)


def drawn_people(rng, number):
    """Subjects with one label, who differ in how often they show it and how well it is found in them."""
    frames = 200
    present = rng.binomial(frames, rng.beta(2, 3, size=number))
    tp = rng.binomial(present, rng.beta(6, 2, size=number))
    fp = rng.binomial(frames - present, rng.beta(1, 6, size=number))
    counts = np.zeros((number, 1, 4), dtype=np.int64)
    counts[:, 0, TP], counts[:, 0, FN], counts[:, 0, FP] = tp, present - tp, fp
    counts[:, 0, TN] = frames - present - fp
    return counts


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of 200 studies with 3 folds of 14 people, about 95 % hold the F1 of the whole population."""
    rng = np.random.default_rng(7)
    population = f1(drawn_people(rng, 200_000).sum(axis=0))[0]
    held = 0
    for _ in range(200):
        folds = [[subjects(drawn_people(rng, 14))] for _ in range(3)]
        low, high = bootstrap_interval(folds, f1, 300, seed=int(rng.integers(2**31)))
        held += low[0] <= population <= high[0]
    assert 0.88 <= held / 200 <= 0.99


def test_the_width_of_an_accuracy_is_the_binomial_one():
    """Images: 700 of 1000 right, standard error sqrt(0.7 * 0.3 / 1000)."""
    units = units_by_image(np.array([[400, 80, 20], [150, 300, 50]]))
    low, high = bootstrap_interval([[units]], lambda counts: accuracy(counts)[..., None], 4000)
    error = np.sqrt(0.7 * 0.3 / 1000)
    assert low[0] == pytest.approx(0.7 - 1.96 * error, abs=0.1 * error)
    assert high[0] == pytest.approx(0.7 + 1.96 * error, abs=0.1 * error)


def test_people_who_are_all_alike_leave_no_doubt():
    alike = subjects(np.tile(np.array([[[5, 2, 3, 10], [1, 0, 4, 15]]]), (9, 1, 1)))
    low, high = bootstrap_interval([[alike], [alike]], f1, 50)
    np.testing.assert_array_equal(low, f1(alike.counts[0]))
    np.testing.assert_array_equal(high, low)


def test_whole_subjects_are_drawn():
    """Of two opposite people, a draw holds one, the other, or both: never a mixture of their frames."""
    two = subjects([[[10, 0, 0, 0]], [[0, 0, 10, 0]]])
    seen = []
    bootstrap_interval([[two]], lambda counts: seen.append(counts) or f1(counts), 500)
    assert sorted(set(seen[0][:, 0, TP])) == [0, 10, 20]
    assert (seen[0].sum(axis=-1) == 20).all()
    shares = [(seen[0][:, 0, TP] == value).mean() for value in (0, 10, 20)]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=0.08)


def test_seeds_share_their_draws():
    """Where seeds differ by the same amount in everyone, the mean over seeds is as uncertain as one seed."""
    rng = np.random.default_rng(8)
    counts = drawn_people(rng, 10)
    one = bootstrap_interval([[subjects(counts)]], f1, 200)
    three = bootstrap_interval([[subjects(counts)] * 3], f1, 200)
    np.testing.assert_allclose(one, three, rtol=1e-12)
    images = units_by_image(np.array([[50, 20, 5], [10, 30, 2]]))
    np.testing.assert_allclose(
        bootstrap_interval([[images]], f1, 200), bootstrap_interval([[images] * 3], f1, 200), rtol=1e-12
    )


def test_folds_are_drawn_separately():
    """The mean of three folds is surer than one of them, by about the root of three."""
    counts = drawn_people(np.random.default_rng(9), 14)
    width = [np.subtract(*bootstrap_interval([[subjects(counts)]] * folds, f1, 4000)[::-1])[0] for folds in (1, 3)]
    assert width[0] / width[1] == pytest.approx(np.sqrt(3), rel=0.1)


def test_the_same_seed_gives_the_same_interval_whatever_the_block(monkeypatch):
    counts = drawn_people(np.random.default_rng(10), 14)
    whole = bootstrap_interval([[subjects(counts)]], f1, 100, seed=3)
    np.testing.assert_array_equal(whole, bootstrap_interval([[subjects(counts)]], f1, 100, seed=3))
    assert (whole[0] != bootstrap_interval([[subjects(counts)]], f1, 100, seed=4)[0]).any()
    monkeypatch.setattr(bootstrap, "BLOCK", 14 * 7)
    np.testing.assert_array_equal(whole, bootstrap_interval([[subjects(counts)]], f1, 100, seed=3))


def test_undefined_values_have_no_interval():
    unknown = subjects(np.zeros((4, 2, 4), dtype=np.int64))
    assert np.isnan(bootstrap_interval([[unknown]], f1, 20)).all()
    known = subjects(drawn_people(np.random.default_rng(11), 4))
    assert np.isnan(bootstrap_interval([[known]], f1, 0)).all()
