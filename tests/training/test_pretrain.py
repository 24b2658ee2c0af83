"""How stage 1 plans its training. The results of training are in `test_stages`."""

import numpy as np
import pytest
import torch

from clef.datasets import open_dataset
from clef.manifest.select import pretraining_frames
from clef.model.texts import activity_texts
from tests.toy import FRAMES, toy_fold, toy_params
from tests.training.planned import IMAGES, POSITIONS, UNCHANGED, as_evaluated, distance


def test_views_follow_the_augmentation_of_stage_1(plan_pretrain):
    stage = plan_pretrain(augment=UNCHANGED | {"flip": 1})
    mirrored = as_evaluated(stage.task.encoders).flip(3)
    for view in stage.plan.views(IMAGES, POSITIONS, 0):
        # Sampling and resizing differ a little.
        assert distance(view, mirrored).max() < 0.25 * distance(view.flip(3), mirrored).min()


@pytest.mark.parametrize(("epochs", "stride", "steps"), [(3, 1, 24), (0.5, 1, 4), (2, 2, 8), (1, 4, 2)])
def test_steps_are_passes_over_every_nth_frame(plan_pretrain, epochs, stride, steps):
    frames = 4 * 3 * -(-(FRAMES - 1) // stride)  # of the 3 clips of 4 training subjects; their last frame has no face
    assert steps == epochs * -(-frames // (3 * 3 * 2))
    plan = plan_pretrain(epochs=epochs, stride=stride).plan
    assert plan.steps == steps
    drawn = np.concatenate([plan.batch(step) for step in range(60)])
    assert sorted(set(drawn)) == list(range(frames))


def test_the_target_of_a_frame_is_the_text_of_its_activity(plan_pretrain, toy):
    stage, params = plan_pretrain(), toy_params()
    batch = stage.plan.batch(0)
    activities = pretraining_frames(toy.manifest, toy_fold(params), 1)["activity"].iloc[batch]
    texts = activity_texts(params.texts, open_dataset(params).activities)
    tokens = stage.task.encoders.tokenize([texts[activity] for activity in activities])
    assert torch.equal(stage.task.tokens[stage.plan.targets(batch)], tokens)
    assert len(tokens.unique(dim=0)) == 3
