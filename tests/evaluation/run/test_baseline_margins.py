import numpy as np
import pytest

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.run.baseline_margins import margins

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


def test_the_interval_of_the_difference_agrees_with_a_slow_version():
    model, baseline = folds(0.8, 0.8), folds(0.6, 0.6)
    drawn = []
    for number, ((own,), (other,)) in enumerate(zip(model, baseline, strict=True)):
        picks = np.random.default_rng([0, number]).integers(8, size=(200, 8))
        f1 = [[metrics.f1(each.counts[pick].sum(axis=0)) for pick in picks] for each in (own, other)]
        drawn.append(np.subtract(*f1))
    expected = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975], axis=0)
    intervals = margins(model, baseline, NAMES, 200)["activity_only"]
    np.testing.assert_allclose(np.array([intervals["AU01"], intervals["AU02"]]).T, expected, rtol=1e-9)
    assert set(intervals) == {*NAMES, "mean"}


def test_the_floor_is_a_baseline_that_always_predicts_the_label():
    model = folds(0.8, 0.8)
    intervals = margins(model, folds(1.0, 0.0), NAMES, 100)
    for label, ends in intervals["floor"].items():
        assert ends == pytest.approx(intervals["activity_only"][label])
    assert set(margins(model, None, NAMES, 100)) == {"floor"}
