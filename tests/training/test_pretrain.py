"""How stage 1 plans its training. The results of training are in `test_stages`."""

import pickle

import numpy as np
import pytest
import torch

from clef.datasets import open_dataset
from clef.manifest.select import pretraining_frames
from clef.model.texts import activity_texts
from clef.training.pretrain import pretrain
from tests.toy import FRAMES, toy_fold, toy_params
from tests.training.planned import IMAGES, POSITIONS, UNCHANGED, Planned, as_evaluated, distance, planned


@pytest.fixture(scope="module")
def plan_stage(toy):
    """Plan stage 1 with some changed settings."""

    def plan_stage(seed: int = 0, **changes) -> Planned:
        params = toy_params(pretrain=changes)
        return planned(pretrain, params, seed, toy_fold(params), toy, toy.manifest.with_name("pretrain.safetensors"))

    return plan_stage


def test_the_two_views_differ_between_steps_and_seeds_and_repeat_for_the_same(plan_stage):
    here, again, other = plan_stage().plan, plan_stage().plan, plan_stage(seed=1).plan
    first, second = here.views(IMAGES, POSITIONS, 3)
    assert first.shape == second.shape == (6, 3, 32, 32)
    assert distance(first, second).min() > 0.05
    for view, images in enumerate((first, second)):
        assert distance(images, again.views(IMAGES, POSITIONS, 3)[view]).max() == 0
        assert distance(images, here.views(IMAGES, POSITIONS, 4)[view]).min() > 0.05
        assert distance(images, other.views(IMAGES, POSITIONS, 3)[view]).min() > 0.05


def test_views_follow_the_augmentation_of_stage_1(plan_stage):
    stage = plan_stage(augment=UNCHANGED | {"flip": 1})
    mirrored = as_evaluated(stage.task.encoders).flip(3)
    for view in stage.plan.views(IMAGES, POSITIONS, 0):
        # Sampling and resizing differ a little.
        assert distance(view, mirrored).max() < 0.25 * distance(view.flip(3), mirrored).min()


def test_what_workers_need_can_be_pickled(plan_stage):
    here = plan_stage().plan.load(range(8)).dataset
    there = pickle.loads(pickle.dumps(here))
    for own, sent in zip(here[7], there[7], strict=True):
        np.testing.assert_array_equal(sent, own)


@pytest.mark.parametrize(("epochs", "stride", "steps"), [(3, 1, 24), (0.5, 1, 4), (2, 2, 8), (1, 4, 2)])
def test_steps_are_passes_over_every_nth_frame(plan_stage, epochs, stride, steps):
    frames = 4 * 3 * -(-(FRAMES - 1) // stride)  # of the 3 clips of 4 training subjects; their last frame has no face
    assert steps == epochs * -(-frames // (3 * 3 * 2))
    plan = plan_stage(epochs=epochs, stride=stride).plan
    assert plan.steps == steps
    drawn = np.concatenate([plan.batch(step) for step in range(60)])
    assert sorted(set(drawn)) == list(range(frames))


def test_optimiser_and_checkpoints_have_the_settings_of_stage_1(plan_stage):
    stage = plan_stage(checkpoint={"every_steps": 7})
    settings = toy_params(pretrain={"checkpoint": {"every_steps": 7}}).pretrain
    assert (stage.optimiser, stage.checkpoint) == (settings.optimiser, settings.checkpoint)


def test_the_seed_determines_batches_and_initial_weights(plan_stage):
    one, again, other = plan_stage(seed=1), plan_stage(seed=1), plan_stage(seed=2**70)
    assert one.seed == 1
    assert np.array_equal(one.plan.batch(0), again.plan.batch(0))
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    weights = [stage.task.encoders.clip.token_embedding.weight for stage in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_target_of_a_frame_is_the_text_of_its_activity(plan_stage, toy):
    stage, params = plan_stage(), toy_params()
    batch = stage.plan.batch(0)
    activities = pretraining_frames(toy.manifest, toy_fold(params), 1)["activity"].iloc[batch]
    texts = activity_texts(params.texts, open_dataset(params).activities)
    tokens = stage.task.encoders.tokenize([texts[activity] for activity in activities])
    assert torch.equal(stage.task.tokens[stage.plan.targets(batch)], tokens)
    assert len(tokens.unique(dim=0)) == 3
