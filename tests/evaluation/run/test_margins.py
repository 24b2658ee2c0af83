import numpy as np
import pytest

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.run.margins import margins


def units(rng: np.random.Generator, subjects: int = 8, labels: int = 2) -> tuple[BootstrapUnits, BootstrapUnits]:
    """Predictions and a baseline for the same frames: each subject shows the labels at a rate of its own."""
    names = tuple(f"F{i:03d}" for i in range(subjects))
    own, other = np.empty((2, subjects, labels, 4), dtype=np.int64)
    for i in range(subjects):
        for label in range(labels):
            positives = int(rng.integers(5, 95))
            for counts, skill in ((own, 0.8), (other, 0.6)):
                hit = int(skill * positives)
                alarm = int((1 - skill) * (100 - positives))
                counts[i, label] = [hit, alarm, positives - hit, 100 - positives - alarm]
    ones = np.ones(subjects, dtype=np.int64)
    return BootstrapUnits("subjects", names, ones, own), BootstrapUnits("subjects", names, ones, other)


@pytest.fixture
def folds():
    rng = np.random.default_rng(3)
    pairs = [units(rng) for _ in range(3)]
    return [[own] for own, _ in pairs], [[other] for _, other in pairs]


def plain(own, other, resamples: int, seed: int = 0):
    """Slowly: each fold's subjects drawn anew, counts added up, the difference of two F1s."""
    drawn = []
    for number, ((mine,), (baseline,)) in enumerate(zip(own, other, strict=True)):
        picks = np.random.default_rng([seed, number]).integers(8, size=(resamples, 8))
        drawn.append(
            [
                metrics.f1(mine.counts[pick].sum(axis=0)) - metrics.f1(baseline.counts[pick].sum(axis=0))
                for pick in picks
            ]
        )
    return np.quantile(np.mean(drawn, axis=0), [0.025, 0.975], axis=0)


def test_the_interval_is_that_of_the_plain_version(folds):
    ends = margins(*folds, ["AU01", "AU02"], 200)["activity_only"]
    expected = plain(*folds, 200)
    np.testing.assert_allclose(np.array([ends["AU01"], ends["AU02"]]).T, expected, rtol=1e-9)
    assert set(ends) == {"AU01", "AU02", "mean"}


def test_the_floor_follows_from_the_same_draws(folds):
    own, _ = folds
    always = [[_always(units) for units in seeds] for seeds in own]
    below = margins(own, always, ["AU01", "AU02"], 100)
    for label, ends in below["floor"].items():
        assert ends == pytest.approx(below["activity_only"][label])
    assert "activity_only" not in margins(own, None, ["AU01", "AU02"], 100)


def test_a_run_lies_nowhere_above_itself(folds):
    own, _ = folds
    assert margins(own, own, ["AU01", "AU02"], 50)["activity_only"] == {
        label: [0.0, 0.0] for label in ("AU01", "AU02", "mean")
    }


def test_a_difference_is_narrower_than_the_two_together(folds):
    own, other = folds
    low, high = margins(own, other, ["AU01", "AU02"], 500)["activity_only"]["mean"]
    f1 = [metrics.f1(units.counts.sum(axis=0)).mean() for seeds in own for units in seeds]
    base = [metrics.f1(units.counts.sum(axis=0)).mean() for seeds in other for units in seeds]
    assert low < np.mean(f1) - np.mean(base) < high
    drawn = np.quantile([_mean(own, seed) for seed in range(300)], [0.025, 0.975])
    assert high - low < drawn[1] - drawn[0]


def test_without_resamples_there_is_no_interval(folds):
    assert np.isnan(margins(*folds, ["AU01", "AU02"], 0)["floor"]["mean"]).all()


def _always(units: BootstrapUnits) -> BootstrapUnits:
    present = units.counts[..., metrics.TP] + units.counts[..., metrics.FN]
    counts = np.zeros_like(units.counts)
    counts[..., metrics.TP], counts[..., metrics.FP] = present, 100 - present
    return BootstrapUnits(units.kind, units.names, units.number, counts)


def _mean(folds: list[list[BootstrapUnits]], seed: int) -> float:
    rng = np.random.default_rng([7, seed])
    drawn = [units.counts[rng.integers(8, size=8)].sum(axis=0) for seeds in folds for units in seeds]
    return float(np.mean([metrics.f1(counts).mean() for counts in drawn]))
