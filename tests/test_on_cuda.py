"""Tests on a GPU: `make test-cuda`. Skipped if torch sees no GPU."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from clef.batches.augmentation import augment, draw
from clef.errors import Unfinished
from clef.evaluation.fold.evaluate_fold import evaluate_fold
from clef.model import losses
from clef.model.device import autocast
from clef.model.encoders import Encoders
from clef.model.tasks import LabelTask
from clef.model.texts import LabelTexts, label_templates
from clef.params.schema import AugmentParams, FinetuneParams, LabelParams, ModelParams, TextParams, TowerParams
from clef.training.finetune import finetune
from clef.training.loop import Execution
from clef.training.pretrain import pretrain
from clef.training.ranks.ranks import Ranks
from clef.training.tower import prepare_tower
from tests.toy import make_toy, toy_fold, toy_params
from tests.training.test_loop import StopAfter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="has no GPU")

LABELS = torch.arange(12) % 3
KNOWN = torch.tensor([1.0, 0.0, torch.nan]).repeat(12, 1)


def unit(number: int, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(number, 32), dim=-1)


LOSSES = {
    "supervised_contrastive": lambda x: losses.supervised_contrastive(x, LABELS.to(x.device), 0.1),
    "image_text": lambda x: losses.image_text(x, unit(3, 1).to(x.device), LABELS.to(x.device), 14.0),
    "name_description": lambda x: losses.name_description(x, unit(12, 2).to(x.device), 14.0),
    "occurrence": lambda x: losses.occurrence(x[:, :3], KNOWN.to(x.device)),
    "occurrence_pair": lambda x: losses.occurrence_pair(x[:, :6].reshape(12, 3, 2), KNOWN.to(x.device)),
    "expression": lambda x: losses.expression(x[:, :3], LABELS.to(x.device)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_equal_those_on_the_cpu_also_under_autocast(name):
    found = {}
    for device in ("cpu", "cuda"):
        features = unit(12, 0).to(device).requires_grad_()
        with autocast(torch.device(device)):
            loss = LOSSES[name](features)
        loss.backward()
        found[device] = (loss.detach().cpu(), features.grad.cpu())
    for here, there in zip(*found.values(), strict=True):
        torch.testing.assert_close(here, there, atol=2e-5, rtol=2e-4)


def test_augmentation_equals_that_on_the_cpu():
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 3, 40, 40), np.uint8))
    draws = draw(AugmentParams(grey=0.5, blur=0.5), 0, "view", 0, np.arange(8))
    torch.testing.assert_close(
        augment(pictures.cuda(), draws, 32).cpu(), augment(pictures, draws, 32), atol=1e-3, rtol=0
    )


def label_task(head: str, compiled: bool) -> LabelTask:
    torch.manual_seed(0)
    encoders = Encoders(ModelParams(name="clef-tiny", image_size=32))
    if compiled:
        encoders.compile_images()
    names = [LabelTexts(f"name {n}", f"what label {n} looks like") for n in range(3)]
    labels = LabelParams(action_units=[1, 4, 12])
    return LabelTask(encoders, names, labels, label_templates(TextParams()), FinetuneParams(head=head), None, 0).cuda()


@pytest.mark.parametrize("head", ["text", "linear"])
def test_a_compiled_encoder_has_the_same_losses_and_weight_names(head):
    found = []
    for compiled in (False, True):
        task = label_task(head, compiled).train()
        images = torch.rand(12, 3, 32, 32, generator=torch.Generator().manual_seed(1)).cuda()
        with autocast(torch.device("cuda")):
            loss = sum(task.losses([images], KNOWN.cuda(), 0).values())
        loss.backward()
        found.append((loss.item(), set(task.state_dict())))
    (plain, names), (fast, same_names) = found
    assert names == same_names
    assert fast == pytest.approx(plain, rel=0.02)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Params of a deterministic run, and its inputs."""
    params = toy_params(device="cuda", deterministic=True, pretrain={"epochs": 2, "workers": 2})
    yield params, make_toy(tmp_path_factory.mktemp("toy"), params)
    torch.use_deterministic_algorithms(False)


def test_both_stages_are_deterministic_and_resume_to_the_same_bytes(toy, tmp_path):
    params, inputs = toy
    fold = toy_fold(params)
    for name in ("undisturbed", "interrupted"):
        folder = tmp_path / name
        first, files = folder / "pretrain.safetensors", (folder / "finetune.safetensors", folder / "epochs.parquet")
        folder.mkdir()
        if name == "interrupted":
            with pytest.raises(Unfinished):
                pretrain(params, 0, fold, inputs, first, execution=Execution(interruption=StopAfter(2)))
        pretrain(params, 0, fold, inputs, first)
        if name == "interrupted":
            with pytest.raises(Unfinished):
                finetune(params, 0, fold, inputs, first, *files, execution=Execution(interruption=StopAfter(4)))
        finetune(params, 0, fold, inputs, first, *files)
    for name in ("pretrain.safetensors", "finetune.safetensors", "epochs.parquet"):
        assert (tmp_path / "interrupted" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


@pytest.mark.parametrize("stage", [pretrain, finetune])
def test_no_step_waits_for_the_gpu(stage, toy, tmp_path):
    def waits(epochs: int) -> int:
        only_last = {"epochs": epochs, "test_epochs": "last"}
        params = toy_params(device="cuda", pretrain={"epochs": epochs}, finetune=only_last)
        target = tmp_path / str(epochs) / "weights.safetensors"
        more = () if stage is pretrain else (None,)
        outputs = (target,) if stage is pretrain else (target, target.with_name("epochs.parquet"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                stage(params, 0, toy_fold(params), toy[1], *more, *outputs)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchronizing" in str(warning.message) for warning in caught)

    assert waits(6) == waits(2)


@pytest.mark.parametrize(("free", "checkpointing"), [(2**40, False), (2**20, True)])
def test_gradient_checkpointing_is_on_if_a_step_does_not_fit(monkeypatch, free, checkpointing):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2**40))
    task, used = label_task("text", False).train(), []
    before = {name: buffer.clone() for name, buffer in task.named_buffers()}
    monkeypatch.setattr(task.encoders, "checkpoint_gradients", lambda: used.append(True))
    images = torch.rand(12, 3, 32, 32).cuda()
    prepare_tower(task, TowerParams(compile=False), lambda: images, 5000, torch.device("cuda"), Ranks())
    assert bool(used) == checkpointing
    assert task.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in task.named_buffers())
    assert all(parameter.grad is None for parameter in task.parameters())


def test_stage_2_predicts_the_same_as_on_the_cpu(toy, tmp_path):
    scores = {}
    for device in ("cpu", "cuda"):
        params = toy_params(device=device, deterministic=True)
        inputs, folder = toy[1], tmp_path / device
        weights, epochs = folder / "finetune.safetensors", folder / "epochs.parquet"
        finetune(params, 0, toy_fold(params), inputs, None, weights, epochs)
        evaluate_fold(params, 0, toy_fold(params), inputs, weights, epochs, folder / "p.parquet", folder / "m.json")
        assert not load_file(weights)["encoders.clip.logit_scale"].isnan()
        scores[device] = pd.read_parquet(folder / "p.parquet").filter(like="p_").dropna().to_numpy()
    assert ((scores["cpu"] > 0.5) == (scores["cuda"] > 0.5)).mean() > 0.95


def test_retinaface_detects_the_same_faces_as_on_the_cpu(tmp_path):
    predict_single = pytest.importorskip("retinaface.predict_single", reason="retinaface-pytorch is not installed")
    from benchmarks.random_retinaface import noise_images, random_model
    from clef.faces.detectors.retinaface import RetinaFaceDetector

    torch.save(random_model(predict_single, 224).model.state_dict(), tmp_path / "weights.pth")
    pictures = noise_images([(161, 210), (350, 233)])
    here, there = (
        RetinaFaceDetector(str(tmp_path / "weights.pth"), 0.7, 224, device).detect(pictures)
        for device in ("cpu", "cuda")
    )
    assert sum(map(len, here)) >= 10
    for ours, theirs in zip(here, there, strict=True):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=0.05)
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
