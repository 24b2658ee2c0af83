"""How stage 2 makes its plan of the params. What comes of training by it is in `test_stages`."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from clef.training.finetune import finetune
from clef.training.inputs import Inputs
from tests.toy import LABELLED, make_toy, toy_fold, toy_params
from tests.training.beginning import Beginning, beginning
from tests.training.views import IMAGES, POSITIONS, UNCHANGED, apart, as_evaluated

NAMES = ["AU01", "AU04", "AU12"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    return make_toy(tmp_path_factory.mktemp("toy"), toy_params())


@pytest.fixture(scope="module")
def begun(inputs):
    """A function that gives the beginning of stage 2 for some settings of it."""
    made = [inputs.manifest.with_name(name) for name in ("finetune.safetensors", "epochs.parquet")]

    def begun(seed: int = 0, **changes) -> Beginning:
        params = toy_params(finetune=changes)
        return beginning(finetune, params, seed, toy_fold(params), inputs, None, *made)

    return begun


def trained_on(inputs: Inputs) -> pd.DataFrame:
    """Labels of the frames that stage 2 trains on, straight from the manifest."""
    frames = pd.read_parquet(inputs.manifest)
    frames = frames[frames["subject"].isin(toy_fold(toy_params()).train_subjects)]
    return frames[frames["labelled"] & (frames["status"] == "detected")].reset_index(drop=True)


def test_rare_action_units_weigh_more_by_the_rates_of_the_training_frames(begun, inputs):
    rates = trained_on(inputs)[NAMES].astype(float).mean().to_numpy()
    assert np.ptp(rates) > 0.02
    weight = begun(label_weight="inverse").task.weight
    np.testing.assert_allclose(weight, 3 * (1 / rates) / (1 / rates).sum(), rtol=1e-6)
    assert begun(label_weight="none").task.weight is None


def test_targets_are_the_labels_of_the_frames(begun, inputs):
    targets = begun().plan.targets(np.arange(84))
    np.testing.assert_array_equal(targets, trained_on(inputs)[NAMES].astype(float).to_numpy())


@pytest.mark.parametrize(("epochs", "stride", "steps"), [(1, 1, 5), (3, 1, 15), (1, 2, 3), (2, 2, 6), (1, 7, 1)])
def test_steps_are_epochs_of_every_nth_labelled_frame(begun, epochs, stride, steps):
    frames = 4 * 3 * -(-(len(LABELLED) - 1) // stride)  # of each of 4 training subjects' 3 clips; the last has no face
    assert steps == epochs * max(1, frames // 16)
    plan = begun(epochs=epochs, stride=stride).plan
    assert (plan.steps, plan.epoch_steps) == (steps, steps // epochs)
    drawn = np.concatenate([plan.batch(step) for step in range(40)])
    assert sorted(set(drawn)) == list(range(frames))


def test_decoders_that_are_started_anew_can_be_sent_what_they_need(begun):
    here = begun().plan.load(range(15)).dataset
    there = pickle.loads(pickle.dumps(here))
    for step in (0, 14):
        for own, sent in zip(here[step], there[step], strict=True):
            np.testing.assert_array_equal(sent, own)


def test_views_follow_the_augmentation_of_stage_2(begun):
    start = begun(augment=UNCHANGED)
    plain = as_evaluated(start.task.encoders)
    (view,) = start.plan.views(IMAGES, POSITIONS, 0)
    # Sampling does not smooth as resizing does: what is left is small against the other side.
    assert apart(view, plain).max() < 0.25 * apart(view, plain.flip(3)).min()
    (mirrored,) = begun(augment=UNCHANGED | {"flip": 1}).plan.views(IMAGES, POSITIONS, 0)
    torch.testing.assert_close(mirrored, view.flip(3), atol=1e-4, rtol=0)
    (turned,) = begun(augment=UNCHANGED | {"rotation": 90}).plan.views(IMAGES, POSITIONS, 0)
    assert apart(turned, view).min() > 0.05


def test_views_are_drawn_anew_for_every_step_and_seed_and_are_repeated_for_the_same(begun):
    strong = UNCHANGED | {"rotation": 60, "brightness": 0.5}
    here, again, other = (begun(seed=seed, augment=strong).plan for seed in (0, 0, 1))
    (plain,) = here.views(IMAGES, POSITIONS, 3)
    assert apart(plain, again.views(IMAGES, POSITIONS, 3)[0]).max() == 0
    assert apart(plain, here.views(IMAGES, POSITIONS, 4)[0]).min() > 0.02
    assert apart(plain, other.views(IMAGES, POSITIONS, 3)[0]).min() > 0.02


def test_the_seed_sets_batches_templates_and_first_weights(begun):
    one, again, other = begun(seed=1), begun(seed=1), begun(seed=2)
    assert [start.seed for start in (one, other)] == [1, 2]
    assert [start.task.seed for start in (one, other)] == [1, 2]
    assert np.array_equal(one.plan.batch(0), again.plan.batch(0))
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    weights = [start.task.encoders.clip.token_embedding.weight for start in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_optimiser_and_checkpoints_are_those_of_stage_2(begun):
    start = begun(checkpoint={"every_steps": 7})
    settings = toy_params(finetune={"checkpoint": {"every_steps": 7}}).finetune
    assert (start.optimiser, start.checkpoint) == (settings.optimiser, settings.checkpoint)
