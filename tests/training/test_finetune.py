"""How stage 2 plans its training. The results of training are in `test_stages`."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from clef.training.finetune import finetune
from clef.training.inputs import Inputs
from tests.toy import LABELLED, toy_fold, toy_params
from tests.training.planned import IMAGES, POSITIONS, UNCHANGED, Planned, as_evaluated, distance, planned

NAMES = ["AU01", "AU04", "AU12"]


@pytest.fixture(scope="module")
def plan_stage(toy):
    """Plan stage 2 with some changed settings."""
    files = [toy.manifest.with_name(name) for name in ("finetune.safetensors", "epochs.parquet")]

    def plan_stage(seed: int = 0, **changes) -> Planned:
        params = toy_params(finetune=changes)
        return planned(finetune, params, seed, toy_fold(params), toy, None, *files)

    return plan_stage


def training_labels(inputs: Inputs) -> np.ndarray:
    """Labels of the training frames, read from the manifest, (frame, label)."""
    frames = pd.read_parquet(inputs.manifest)
    frames = frames[frames["subject"].isin(toy_fold(toy_params()).train_subjects)]
    return frames[frames["labelled"] & (frames["status"] == "detected")][NAMES].astype(float).to_numpy()


def test_targets_are_labels_and_weights_follow_their_rates(plan_stage, toy):
    labels = training_labels(toy)
    stage = plan_stage(label_weight="inverse")
    np.testing.assert_array_equal(stage.plan.targets(np.arange(84)), labels)
    rates = labels.mean(axis=0)
    assert np.ptp(rates) > 0.02
    np.testing.assert_allclose(stage.task.weight, 3 * (1 / rates) / (1 / rates).sum(), rtol=1e-6)
    assert plan_stage(label_weight="none").task.weight is None


@pytest.mark.parametrize(("epochs", "stride", "steps"), [(3, 1, 15), (2, 2, 6), (1, 7, 1)])
def test_steps_are_epochs_of_every_nth_labelled_frame(plan_stage, epochs, stride, steps):
    frames = 4 * 3 * -(-(len(LABELLED) - 1) // stride)  # of the 3 clips of 4 training subjects; one has no face
    assert steps == epochs * max(1, frames // 16)
    plan = plan_stage(epochs=epochs, stride=stride).plan
    assert (plan.steps, plan.epoch_steps) == (steps, steps // epochs)
    drawn = np.concatenate([plan.batch(step) for step in range(40)])
    assert sorted(set(drawn)) == list(range(frames))


def test_what_workers_need_can_be_pickled(plan_stage):
    here = plan_stage().plan.load(range(15)).dataset
    there = pickle.loads(pickle.dumps(here))
    for own, sent in zip(here[14], there[14], strict=True):
        np.testing.assert_array_equal(sent, own)


def test_views_follow_the_augmentation_of_stage_2(plan_stage):
    stage = plan_stage(augment=UNCHANGED)
    plain = as_evaluated(stage.task.encoders)
    (view,) = stage.plan.views(IMAGES, POSITIONS, 0)
    # Sampling and resizing differ a little.
    assert distance(view, plain).max() < 0.25 * distance(view, plain.flip(3)).min()
    (mirrored,) = plan_stage(augment=UNCHANGED | {"flip": 1}).plan.views(IMAGES, POSITIONS, 0)
    torch.testing.assert_close(mirrored, view.flip(3), atol=1e-4, rtol=0)
    (rotated,) = plan_stage(augment=UNCHANGED | {"rotation": 90}).plan.views(IMAGES, POSITIONS, 0)
    assert distance(rotated, view).min() > 0.05


def test_the_view_differs_between_steps_and_seeds_and_repeats_for_the_same(plan_stage):
    strong = UNCHANGED | {"rotation": 60, "brightness": 0.5}
    here, again, other = (plan_stage(seed=seed, augment=strong).plan for seed in (0, 0, 1))
    (view,) = here.views(IMAGES, POSITIONS, 3)
    assert distance(view, again.views(IMAGES, POSITIONS, 3)[0]).max() == 0
    assert distance(view, here.views(IMAGES, POSITIONS, 4)[0]).min() > 0.02
    assert distance(view, other.views(IMAGES, POSITIONS, 3)[0]).min() > 0.02


def test_the_seed_determines_batches_templates_and_initial_weights(plan_stage):
    one, again, other = plan_stage(seed=1), plan_stage(seed=1), plan_stage(seed=2**70)
    assert (one.seed, one.task.seed, other.task.seed) == (1, 1, 2**70)
    assert np.array_equal(one.plan.batch(0), again.plan.batch(0))
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    weights = [stage.task.encoders.clip.token_embedding.weight for stage in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_optimiser_and_checkpoints_have_the_settings_of_stage_2(plan_stage):
    stage = plan_stage(checkpoint={"every_steps": 7})
    settings = toy_params(finetune={"checkpoint": {"every_steps": 7}}).finetune
    assert (stage.optimiser, stage.checkpoint) == (settings.optimiser, settings.checkpoint)
