import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clef.evaluation.fold.metrics import mean_known
from clef.evaluation.fold.optimistic_choice import GRID, best_choice

ALL = sorted({*GRID, 0.5})


def draw_epochs(seed):
    """Truth of 30 frames, and the probabilities of 4 epochs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, size=(30, 3)).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    epochs = {}
    for epoch in range(1, 5):
        values = np.clip(0.5 * rng.random() * np.nan_to_num(truth) + rng.random(truth.shape) * 0.7, 0, 1)
        values[:3] = np.nan
        epochs[epoch] = values.astype(np.float32)
    return truth, epochs


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([[0.5], ALL]))
def test_the_choice_agrees_with_trying_all(seed, thresholds):
    truth, epochs = draw_epochs(seed)
    means = {}
    for epoch, values in epochs.items():
        for threshold in thresholds:
            predicted = np.nan_to_num(values.astype(float), nan=-1) >= threshold
            hits, misses = (truth == 1) & predicted, (truth == 1) & ~predicted
            errors = misses.sum(axis=0) + ((truth == 0) & predicted).sum(axis=0)
            means[epoch, threshold] = np.mean(2 * hits.sum(axis=0) / np.maximum(2 * hits.sum(axis=0) + errors, 1))
    chosen, f1 = best_choice(truth, epochs, thresholds)
    assert mean_known(f1) == pytest.approx(max(means.values()))
    assert means[chosen["epoch"], chosen["threshold"]] == pytest.approx(max(means.values()))


def test_the_first_of_equally_good_epochs_is_chosen():
    truth = np.array([[1.0], [0.0]])
    good = np.array([[0.9], [0.1]])
    assert best_choice(truth, {3: good, 1: 1 - good, 2: good}, [0.5])[0] == {"epoch": 2, "threshold": 0.5}
    assert best_choice(truth, {}, ALL)[0] is None
