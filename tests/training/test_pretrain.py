"""How stage 1 makes its plan of the params. What comes of training by it is in `test_stages`."""

import pickle

import numpy as np
import pytest
import torch

from clef.datasets import open_dataset
from clef.manifest.select import pretraining_frames
from clef.model.texts import activity_texts
from clef.training.inputs import Inputs
from clef.training.pretrain import pretrain
from tests.toy import FRAMES, make_toy, toy_fold, toy_params
from tests.training.beginning import Beginning, beginning
from tests.training.views import IMAGES, POSITIONS, UNCHANGED, apart, as_evaluated


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    return make_toy(tmp_path_factory.mktemp("toy"), toy_params())


@pytest.fixture(scope="module")
def begun(inputs):
    """A function that gives the beginning of stage 1 for some settings of it."""
    target = inputs.manifest.with_name("pretrain.safetensors")

    def begun(seed: int = 0, **changes) -> Beginning:
        params = toy_params(pretrain=changes)
        return beginning(pretrain, params, seed, toy_fold(params), inputs, target)

    return begun


def test_the_two_views_of_an_image_are_drawn_apart(begun):
    first, second = begun().plan.views(IMAGES, POSITIONS, 0)
    assert first.shape == second.shape == (6, 3, 32, 32)
    assert apart(first, second).min() > 0.05


def test_views_are_drawn_anew_for_every_step_and_seed_and_are_repeated_for_the_same(begun):
    here, again, other = begun().plan, begun().plan, begun(seed=1).plan
    for view in (0, 1):
        plain = here.views(IMAGES, POSITIONS, 3)[view]
        assert apart(plain, again.views(IMAGES, POSITIONS, 3)[view]).max() == 0
        assert apart(plain, here.views(IMAGES, POSITIONS, 4)[view]).min() > 0.05
        assert apart(plain, other.views(IMAGES, POSITIONS, 3)[view]).min() > 0.05


def test_decoders_that_are_started_anew_can_be_sent_what_they_need(begun):
    here = begun().plan.load(range(8)).dataset
    there = pickle.loads(pickle.dumps(here))
    for step in (0, 7):
        for own, sent in zip(here[step], there[step], strict=True):
            np.testing.assert_array_equal(sent, own)


def test_views_follow_the_augmentation_of_stage_1(begun):
    start = begun(augment=UNCHANGED | {"flip": 1})
    mirrored = as_evaluated(start.task.encoders).flip(3)
    for view in start.plan.views(IMAGES, POSITIONS, 0):
        # Sampling does not smooth as resizing does: what is left is small against another image or another side.
        assert apart(view, mirrored).max() < 0.25 * apart(view.flip(3), mirrored).min()


@pytest.mark.parametrize(
    ("epochs", "stride", "steps"), [(1, 1, 8), (3, 1, 24), (0.5, 1, 4), (1, 2, 4), (2, 2, 8), (1, 4, 2)]
)
def test_steps_are_passes_over_every_nth_frame(begun, epochs, stride, steps):
    frames = 4 * 3 * -(-(FRAMES - 1) // stride)  # of each of 4 training subjects' 3 clips; the last has no face
    assert steps == epochs * -(-frames // (3 * 3 * 2))
    assert begun(epochs=epochs, stride=stride).plan.steps == steps


def test_a_stride_leaves_the_frames_between(begun):
    plan = begun(stride=4, epochs=9).plan
    drawn = np.concatenate([plan.batch(step) for step in range(plan.steps)])
    assert sorted(set(drawn)) == list(range(4 * 3 * 3))  # 3 of 11 frames of each clip


def test_optimiser_and_checkpoints_are_those_of_stage_1(begun):
    start = begun(checkpoint={"every_steps": 7})
    settings = toy_params(pretrain={"checkpoint": {"every_steps": 7}}).pretrain
    assert (start.optimiser, start.checkpoint) == (settings.optimiser, settings.checkpoint)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_sets_the_batches_and_the_first_weights(begun, seed):
    one, other = begun(seed=seed), begun(seed=2)
    assert one.seed == seed
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    assert np.array_equal(one.plan.batch(0), begun(seed=seed).plan.batch(0))
    weights = [start.task.encoders.clip.token_embedding.weight for start in (one, other, begun(seed=seed))]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


def test_the_target_of_a_frame_is_the_text_of_its_activity(begun, inputs):
    start, params = begun(), toy_params()
    batch = start.plan.batch(0)
    activities = pretraining_frames(inputs.manifest, toy_fold(params), 1)["activity"].iloc[batch]
    texts = activity_texts(params.texts, open_dataset(params).activities)
    tokens = start.task.encoders.tokenize([texts[activity] for activity in activities])
    assert torch.equal(start.task.tokens[start.plan.targets(batch)], tokens)
    assert len(tokens.unique(dim=0)) == 3
