from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.run.baseline_margins import margins
from clef.evaluation.run.bootstrap import estimate

NAMES = ["AU01", "AU02"]
SUBJECTS = tuple(f"F{i:03d}" for i in range(8))


def units(positives: np.ndarray, recall: float, specificity: float) -> BootstrapUnits:
    """Counts of subjects with 100 frames, of which `positives` (subjects, labels) show the label."""
    tp, tn = (recall * positives).astype(int), (specificity * (100 - positives)).astype(int)
    counts = np.stack([tp, 100 - positives - tn, positives - tp, tn], axis=-1)
    return BootstrapUnits("subjects", SUBJECTS, np.ones(8, dtype=np.int64), counts)


def folds(recall, specificity):
    positives = np.random.default_rng(3).integers(5, 95, size=(3, 8, 2))
    return [[units(of_fold, recall, specificity)] for of_fold in positives]


def margins_of(model, baseline):
    f1 = estimate(model, [0], lambda counts: metrics.with_mean(metrics.f1(counts)), 200)
    return margins(f1, model, baseline, [0], NAMES, 200)


def test_the_interval_of_the_difference_agrees_with_a_slow_version():
    """SciPy resamples the indices of the subjects of each fold."""
    model, baseline = folds(0.8, 0.8), folds(0.6, 0.6)
    picks = [np.random.default_rng([0, number]).integers(8, size=(200, 7)) for number in range(3)]
    intervals = margins_of(model, baseline)["activity_only"]
    for label, name in enumerate(NAMES):

        def difference(*picked, label=label):
            f1 = [
                [metrics.f1(units.counts[pick, label].sum(axis=0)) for (units,), pick in zip(each, picked, strict=True)]
                for each in (model, baseline)
            ]
            return np.subtract(*f1).mean()

        draws = np.array([difference(*picked) for picked in zip(*picks, strict=True)])
        drawn = SimpleNamespace(bootstrap_distribution=draws)
        options = {"vectorized": False, "n_resamples": 0, "method": "BCa", "bootstrap_result": drawn}
        expected = stats.bootstrap([np.arange(8)] * 3, difference, **options).confidence_interval
        np.testing.assert_allclose(intervals[name], expected, rtol=1e-9)
    assert set(intervals) == {*NAMES, "mean"}


def test_the_floor_is_a_baseline_that_always_predicts_the_label():
    model = folds(0.8, 0.8)
    intervals = margins_of(model, folds(1.0, 0.0))
    for label, ends in intervals["floor"].items():
        assert ends == pytest.approx(intervals["activity_only"][label])
    assert set(margins_of(model, None)) == {"floor"}
