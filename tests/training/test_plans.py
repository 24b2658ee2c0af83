"""How both stages plan their training. The results of training are in `test_stages`."""

import numpy as np
import pandas as pd
import pytest
import torch

from clef.batches.augmentation import centre
from clef.batches.crops import Crops
from clef.datasets import open_dataset
from clef.manifest.select import pretraining_frames
from clef.model.texts import activity_texts
from clef.training.finetune import finetune
from clef.training.pretrain import pretrain
from tests.toy import toy_fold, toy_params
from tests.training.stages import planned, stage2_files

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 40, 40), dtype=np.uint8))
UNCHANGED = {"rotation": 0, "scale": [1, 1], "shift": 0, "flip": 0, "grey": 0, "blur": 0}
UNCHANGED |= {"brightness": 0, "contrast": 0, "saturation": 0}
FOLD = toy_fold(toy_params())


@pytest.fixture(params=["pretrain", "finetune"])
def stage(request):
    return request.param


@pytest.fixture(scope="module")
def plan(toy, tmp_path_factory):
    """Plan a stage with some changed settings."""
    folder = tmp_path_factory.mktemp("plan")

    def plan(stage: str, seed: int = 0, **changes):
        arguments = (toy_params(**{stage: changes}), seed, FOLD, toy)
        if stage == "pretrain":
            return planned(pretrain, *arguments, folder / "pretrain.safetensors")
        return planned(finetune, *arguments, None, *stage2_files(folder))

    return plan


@pytest.fixture
def views(monkeypatch):
    """The views of a step if all its crops are from `IMAGES`."""
    monkeypatch.setattr(Crops, "decode", lambda self, indices, pin_memory=False: pictures(len(indices)))

    def views(plan, step: int) -> list[torch.Tensor]:
        ((_, found),) = plan.load(range(step, step + 1))
        return found

    return views


def pictures(number: int) -> torch.Tensor:
    """So many images."""
    return IMAGES[torch.arange(number) % len(IMAGES)]


def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean difference between two views of each image, (batch,)."""
    return (one - other).abs().mean(dim=(1, 2, 3))


def test_views_follow_the_augmentation_of_the_stage(plan, views, stage):
    mirrored = plan(stage, augment=UNCHANGED | {"flip": 1})
    encoders = mirrored.task.encoders
    mean, std = (torch.tensor(encoders.normalisation[name])[:, None, None] for name in ("mean", "std"))
    for view in views(mirrored.plan, 0):
        plain = (centre(pictures(len(view)), encoders.image_size) - mean) / std
        # Sampling and resizing differ a little.
        assert distance(view, plain.flip(3)).max() < 0.25 * distance(view, plain).min()


def test_views_differ_between_steps_and_seeds_and_repeat_for_the_same(plan, views, stage):
    strong = UNCHANGED | {"rotation": 60, "brightness": 0.5}
    here, again, other = (plan(stage, seed=seed, augment=strong).plan for seed in (0, 0, 1))
    found = views(here, 3)
    assert [view.shape for view in found] == [(len(here.batch(3)), 3, 32, 32)] * (2 if stage == "pretrain" else 1)
    others = (views(again, 3), views(here, 4), views(other, 3))
    for view, same, later, of_other_seed in zip(found, *others, strict=True):
        assert torch.equal(view, same)
        assert distance(view, later).min() > 0.02
        assert distance(view, of_other_seed).min() > 0.02
    assert stage == "finetune" or distance(*found).min() > 0.02


@pytest.mark.parametrize(
    ("stage", "epochs", "stride", "steps", "per_clip"),
    [("pretrain", 0.5, 1, 4, 11), ("pretrain", 2, 2, 8, 6), ("finetune", 3, 1, 15, 7), ("finetune", 1, 7, 1, 1)],
)
def test_steps_are_passes_over_every_nth_usable_frame(plan, stage, epochs, stride, steps, per_clip):
    found = plan(stage, epochs=epochs, stride=stride).plan
    assert found.steps == steps
    assert stage == "pretrain" or found.epoch_steps == steps // epochs
    drawn = np.concatenate([found.batch(step) for step in range(60)])
    assert sorted(set(drawn)) == list(range(4 * 3 * per_clip))  # of the 3 clips of 4 training subjects


def test_the_targets_of_stage_1_are_the_texts_of_the_activities(plan, toy):
    found, params = plan("pretrain"), toy_params()
    batch = found.plan.batch(0)
    activities = pretraining_frames(toy.manifest, FOLD, 1)["activity"].iloc[batch]
    texts = activity_texts(params.texts, open_dataset(params).activities)
    tokens = found.task.encoders.tokenize([texts[activity] for activity in activities])
    of_texts, positives = found.plan.targets(batch).T
    assert torch.equal(of_texts, positives)
    assert torch.equal(found.task.tokens[of_texts], tokens)
    assert len(tokens.unique(dim=0)) == 3


def test_the_targets_of_stage_2_are_labels_and_weights_follow_their_rates(plan, toy):
    frames = pd.read_parquet(toy.manifest)
    frames = frames[frames["subject"].isin(FOLD.train_subjects) & frames["labelled"] & (frames["status"] == "detected")]
    labels = frames[["AU01", "AU04", "AU12"]].astype(float).to_numpy()
    found = plan("finetune", label_weight="inverse")
    np.testing.assert_array_equal(found.plan.targets(np.arange(84)), labels)
    rates = labels.mean(axis=0)
    assert np.ptp(rates) > 0.02
    np.testing.assert_allclose(found.task.weight, 3 * (1 / rates) / (1 / rates).sum(), rtol=1e-6)
    assert plan("finetune", label_weight="none").task.weight is None


def test_the_seed_determines_batches_templates_and_initial_weights(plan, stage):
    one, again, other = plan(stage, seed=1), plan(stage, seed=1), plan(stage, seed=2**70)
    assert stage == "pretrain" or (one.task.seed, other.task.seed) == (1, 2**70)
    assert np.array_equal(one.plan.batch(0), again.plan.batch(0))
    assert not np.array_equal(one.plan.batch(0), other.plan.batch(0))
    weights, same, different = (found.task.encoders.clip.token_embedding.weight for found in (one, again, other))
    assert torch.equal(weights, same)
    assert not torch.equal(weights, different)
