"""Memory and time of the image tower. `auto` on a GPU is tested in tests/test_on_cuda.py."""

import copy
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

from clef.errors import ClefError
from clef.model.encoders import Encoders
from clef.model.tasks import ActivityTask, LabelTask
from clef.model.texts import LabelTexts, label_templates
from clef.params.schema import FinetuneParams, LabelParams, ModelParams, PretrainParams, TextParams, TowerParams
from clef.training.ranks.ranks import Ranks
from clef.training.tower import _failure, prepare_tower

open_clip.add_model_config(Path(__file__).parents[1] / "model" / "configs")
CPU = torch.device("cpu")
IMAGES = torch.randn(10, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def encoders(name: str = "test-vit") -> Encoders:
    torch.manual_seed(0)
    return Encoders(ModelParams(name=name, image_size=32))


def activity_task() -> tuple[nn.Module, torch.Tensor, list[torch.Tensor]]:
    task = ActivityTask(encoders(), ["telling a joke", "hand in ice water"], PretrainParams())
    return task, (torch.arange(10) % 2)[:, None].repeat(1, 2), [IMAGES, IMAGES.flip(3)]


def label_task() -> tuple[nn.Module, torch.Tensor, list[torch.Tensor]]:
    texts = [LabelTexts(f"name {n}", f"look {n}") for n in range(3)]
    labels = LabelParams(action_units=[1, 4, 12])
    task = LabelTask(encoders(), texts, labels, label_templates(TextParams()), FinetuneParams(), None, 0)
    return task, (torch.arange(30).reshape(10, 3) % 2).double(), [IMAGES]


def prepared(task, **settings):
    prepare_tower(task, TowerParams(**settings), lambda: IMAGES, 5000, CPU, Ranks())
    return task


def loss_and_gradients(task, targets, views) -> tuple[float, dict[str, torch.Tensor]]:
    loss = sum(task.double().train().losses(views, targets, 0).values())
    loss.backward()
    return loss.item(), {name: p.grad for name, p in task.named_parameters() if p.grad is not None}


def kept_for_the_gradient(task, targets, views) -> int:
    """Bytes that the forward pass keeps, without parameters."""
    own = {p.untyped_storage().data_ptr() for p in task.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if (storage := tensor.untyped_storage()).data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = sum(task.double().train().losses(views, targets, 0).values())
    del loss
    return sum(kept.values())


@pytest.mark.parametrize("make", [activity_task, label_task])
@pytest.mark.parametrize("settings", [{"images_at_once": 3}, {"images_at_once": 1}, {"gradient_checkpointing": True}])
def test_the_gradient_is_that_of_the_whole_batch(make, settings):
    task, targets, views = make()
    plain = copy.deepcopy(task)
    loss, gradients = loss_and_gradients(plain, targets, views)
    same_loss, same_gradients = loss_and_gradients(prepared(task, **settings), targets, views)
    assert same_loss == pytest.approx(loss, rel=1e-12)
    assert gradients.keys() == same_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(same_gradients[name], gradient, rtol=1e-9, atol=1e-12)


def test_parts_keep_less_for_the_gradient():
    whole = kept_for_the_gradient(*activity_task())
    task, *batch = activity_task()
    assert kept_for_the_gradient(prepared(task, images_at_once=2), *batch) < whole / 4


def test_auto_changes_nothing_on_a_cpu():
    task = prepared(activity_task()[0])
    assert task.encoders._encode_image == task.encoders.clip.encode_image
    assert not task.encoders.clip.visual.transformer.grad_checkpointing
    assert prepared(task, gradient_checkpointing=True).encoders.clip.visual.transformer.grad_checkpointing


def test_a_tower_with_batch_norm_computes_nothing_twice():
    tiny = encoders("clef-tiny")
    with pytest.raises(ClefError, match=r"images_at_once: the image tower of clef-tiny has batch norm, .*leave it out"):
        tiny.limit_images_at_once(4)
    assert not tiny.can_checkpoint_gradients
    message = r"gradient_checkpointing: the image tower of clef-tiny has batch norm, .*leave it out"
    with pytest.raises(ClefError, match=message):
        tiny.checkpoint_gradients()


def test_a_tower_without_checkpointing_says_so(monkeypatch):
    resnet = encoders()
    monkeypatch.delattr(resnet.clip.visual.transformer, "grad_checkpointing")
    with pytest.raises(ClefError, match=r"the image tower of test-vit does not offer it; leave it out"):
        resnet.checkpoint_gradients()


def test_a_compiler_that_fails_leaves_the_tower_as_it_is(monkeypatch, caplog):
    """On a CPU, with the trial that `auto` makes on a GPU."""
    task = activity_task()[0].float()

    def broken(function):
        def fail(*arguments):
            raise RuntimeError("no compiler")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    task.encoders.compile_images()
    assert _failure(task, IMAGES.float(), CPU) == "RuntimeError"
    assert task.training
    task.encoders.compile_images(False)
    before = {name: buffer.clone() for name, buffer in task.named_buffers()}
    assert _failure(task, IMAGES.float(), CPU) is None
    assert all(parameter.grad is None for parameter in task.parameters())
    assert all(torch.equal(buffer, before[name]) for name, buffer in task.named_buffers())


@pytest.mark.slow
def test_a_compiled_tower_has_the_same_features_and_weight_names():
    plain, compiled = encoders(), encoders()
    compiled.compile_images()
    torch.testing.assert_close(
        compiled.image_features(IMAGES.float()), plain.image_features(IMAGES.float()), rtol=1e-4, atol=1e-5
    )
    assert compiled.state_dict().keys() == plain.state_dict().keys()
