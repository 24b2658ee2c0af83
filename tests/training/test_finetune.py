"""How stage 2 plans its training. The results of training are in `test_stages`."""

import numpy as np
import pandas as pd
import pytest
import torch

from clef.training.inputs import Inputs
from tests.toy import LABELLED, toy_fold, toy_params
from tests.training.planned import IMAGES, POSITIONS, UNCHANGED, as_evaluated, distance

NAMES = ["AU01", "AU04", "AU12"]


def training_labels(inputs: Inputs) -> np.ndarray:
    """Labels of the training frames, read from the manifest, (frame, label)."""
    frames = pd.read_parquet(inputs.manifest)
    frames = frames[frames["subject"].isin(toy_fold(toy_params()).train_subjects)]
    return frames[frames["labelled"] & (frames["status"] == "detected")][NAMES].astype(float).to_numpy()


def test_targets_are_labels_and_weights_follow_their_rates(plan_finetune, toy):
    labels = training_labels(toy)
    stage = plan_finetune(label_weight="inverse")
    np.testing.assert_array_equal(stage.plan.targets(np.arange(84)), labels)
    rates = labels.mean(axis=0)
    assert np.ptp(rates) > 0.02
    np.testing.assert_allclose(stage.task.weight, 3 * (1 / rates) / (1 / rates).sum(), rtol=1e-6)
    assert plan_finetune(label_weight="none").task.weight is None


@pytest.mark.parametrize(("epochs", "stride", "steps"), [(3, 1, 15), (2, 2, 6), (1, 7, 1)])
def test_steps_are_epochs_of_every_nth_labelled_frame(plan_finetune, epochs, stride, steps):
    frames = 4 * 3 * -(-(len(LABELLED) - 1) // stride)  # of the 3 clips of 4 training subjects; one has no face
    assert steps == epochs * max(1, frames // 16)
    plan = plan_finetune(epochs=epochs, stride=stride).plan
    assert (plan.steps, plan.epoch_steps) == (steps, steps // epochs)
    drawn = np.concatenate([plan.batch(step) for step in range(40)])
    assert sorted(set(drawn)) == list(range(frames))


def test_views_follow_the_augmentation_of_stage_2(plan_finetune):
    stage = plan_finetune(augment=UNCHANGED)
    plain = as_evaluated(stage.task.encoders)
    (view,) = stage.plan.views(IMAGES, POSITIONS, 0)
    # Sampling and resizing differ a little.
    assert distance(view, plain).max() < 0.25 * distance(view, plain.flip(3)).min()
    (mirrored,) = plan_finetune(augment=UNCHANGED | {"flip": 1}).plan.views(IMAGES, POSITIONS, 0)
    torch.testing.assert_close(mirrored, view.flip(3), atol=1e-4, rtol=0)
    (rotated,) = plan_finetune(augment=UNCHANGED | {"rotation": 90}).plan.views(IMAGES, POSITIONS, 0)
    assert distance(rotated, view).min() > 0.05
