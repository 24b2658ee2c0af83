import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from clef.evaluation.fold.metrics import confusion_counts, f1, mean_known
from clef.evaluation.fold.optimistic import GRID, best_epoch, best_epoch_and_threshold


def some_epochs(seed, number=4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, size=(30, 3)).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    epochs = {}
    for epoch in range(1, number + 1):
        values = np.clip(0.5 * rng.random() * np.nan_to_num(truth) + rng.random(truth.shape) * 0.7, 0, 1)
        values[:3] = np.nan
        epochs[epoch] = values.astype(np.float32)
    return truth, epochs


def test_the_grid_is_that_of_the_published_code():
    assert len(GRID) == 99
    assert (GRID[0], GRID[49], GRID[-1]) == (0.01, 0.5, 0.99)


@given(st.integers(0, 10**6))
def test_choices_agree_with_trying_everything(seed):
    truth, epochs = some_epochs(seed)

    def mean_f1(epoch, threshold):
        per_label = []
        for label in range(3):
            known = ~np.isnan(truth[:, label])
            values = np.nan_to_num(epochs[epoch][known, label].astype(float), nan=-1)
            per_label.append(f1_score(truth[known, label], values >= threshold, zero_division=0))
        return np.mean(per_label)

    chosen = best_choice(truth, epochs, [0.5])
    assert chosen.threshold == 0.5
    assert mean_known(chosen.f1) == pytest.approx(max(mean_f1(epoch, 0.5) for epoch in epochs))
    assert mean_f1(chosen.epoch, 0.5) == pytest.approx(mean_known(chosen.f1))


def test_the_threshold_is_the_best_of_the_grid():
    truth, epochs = some_epochs(3)
    tried = {
        (epoch, threshold): mean_known(f1(confusion_counts(truth, values, [threshold])[0]))
        for epoch, values in epochs.items()
        for threshold in GRID
    }
    chosen = best_choice(truth, epochs, sorted({*GRID, 0.5}))
    assert mean_known(chosen.f1) == max(tried.values())
    assert tried[chosen.epoch, chosen.threshold] == max(tried.values())


@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.333, 0.999, 0.0]))
def test_more_choice_never_looks_worse(seed, threshold):
    """Also where the run's own threshold is not on the grid."""
    truth, epochs = some_epochs(seed)
    strict = mean_known(f1(confusion_counts(truth, epochs[4], [threshold])[0]))
    field = mean_known(best_choice(truth, epochs, [threshold]).f1)
    field_max = mean_known(best_choice(truth, epochs, sorted({*GRID, threshold})).f1)
    assert strict <= field <= field_max


def test_the_earliest_of_equal_epochs():
    truth = np.array([[1.0], [0.0]])
    good = np.array([[0.9], [0.1]])
    assert best_epoch(truth, {3: good, 1: 1 - good, 2: good}, 0.5).epoch == 2


def test_without_epochs_there_is_nothing_to_choose():
    assert best_epoch(np.ones((2, 1)), {}, 0.5) is None
    assert best_epoch_and_threshold(np.ones((2, 1)), {}, 0.5) is None


def test_the_runs_own_threshold_is_tried_beside_the_grid():
    """Probabilities so small that no threshold of the grid tells them apart."""
    truth = np.array([[1.0], [0.0], [1.0]])
    chosen = best_epoch_and_threshold(truth, {1: np.array([[0.004], [0.001], [0.003]])}, 0.002)
    assert (chosen.threshold, chosen.f1[0]) == (0.002, 1.0)
