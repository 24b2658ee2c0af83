"""What the plans of both stages have in common."""

import pickle

import numpy as np
import pytest
import torch

from tests.toy import toy_params
from tests.training.planned import IMAGES, POSITIONS, UNCHANGED, distance


@pytest.fixture(params=["pretrain", "finetune"])
def stage(request):
    return request.param


@pytest.fixture
def plan_stage(stage, request):
    return request.getfixturevalue(f"plan_{stage}")


def test_views_differ_between_steps_and_seeds_and_repeat_for_the_same(plan_stage, stage):
    strong = UNCHANGED | {"rotation": 60, "brightness": 0.5}
    here, again, other = (plan_stage(seed=seed, augment=strong).plan for seed in (0, 0, 1))
    views = here.views(IMAGES, POSITIONS, 3)
    assert [view.shape for view in views] == [(6, 3, 32, 32)] * (2 if stage == "pretrain" else 1)
    for number, view in enumerate(views):
        assert distance(view, again.views(IMAGES, POSITIONS, 3)[number]).max() == 0
        assert distance(view, here.views(IMAGES, POSITIONS, 4)[number]).min() > 0.02
        assert distance(view, other.views(IMAGES, POSITIONS, 3)[number]).min() > 0.02
    assert stage == "finetune" or distance(*views).min() > 0.02


def test_what_workers_need_can_be_pickled(plan_stage):
    here = plan_stage().plan.load(range(8)).dataset
    there = pickle.loads(pickle.dumps(here))
    for own, sent in zip(here[7], there[7], strict=True):
        np.testing.assert_array_equal(sent, own)


def test_optimiser_and_checkpoints_have_the_settings_of_the_stage(plan_stage, stage):
    plan = plan_stage(checkpoint={"every_steps": 7})
    settings = getattr(toy_params(**{stage: {"checkpoint": {"every_steps": 7}}}), stage)
    assert (plan.optimiser, plan.checkpoint) == (settings.optimiser, settings.checkpoint)


def test_the_seed_determines_batches_templates_and_initial_weights(plan_stage, stage):
    one, again, other = plan_stage(seed=1), plan_stage(seed=1), plan_stage(seed=2**70)
    assert (one.seed, other.seed) == (1, 2**70)
    assert stage == "pretrain" or (one.task.seed, other.task.seed) == (1, 2**70)
    assert np.array_equal(one.plan.batch(0), again.plan.batch(0))
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    weights = [plan.task.encoders.clip.token_embedding.weight for plan in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
