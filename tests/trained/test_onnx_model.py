import ast
import json
import re
import subprocess
import sys

import cv2
import numpy as np
import onnxruntime
import open_clip
import pytest
import torch

from clef import __version__
from clef.batches.augmentation import centre
from clef.errors import ClefError
from clef.model.encoders import Encoders, architecture
from clef.model.tasks import LabelTask
from clef.model.texts import LabelTexts, Templates
from clef.params.schema import FinetuneParams, LabelParams, ModelParams
from clef.trained.config import Member, TrainedConfig
from clef.trained.export import CARD, GRAPH
from clef.trained.load import load_model
from clef.trained.onnx_model import require_onnx, write_onnx
from clef.trained.trained_model import TrainedModel
from clef.training.checkpoint import save_weights
from tests.trained.conftest import LABELS, evaluated_crops

ACTION_UNITS = LabelParams(action_units=[1, 4, 12])
EXPRESSIONS = LabelParams(kind="expressions", expressions=["neutral", "happiness", "fear"])
SMALL_VIT = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def run_graph(path, images: torch.Tensor) -> np.ndarray:
    return onnxruntime.InferenceSession(path).run(None, {"images": images.numpy()})[0]


def untrained(folder, name: str, size: int, labels: LabelParams, **finetune) -> TrainedModel:
    """A model with two members, whose weights and running statistics are random."""
    encoders = Encoders(ModelParams(name=name, image_size=size))
    texts, settings = [("one", "a one"), ("two", "a two"), ("three", "a three")], FinetuneParams(**finetune)
    templates = {"name": "a photo with {}", "absent": "a photo without {}", "descriptions": ["a face with {}"]}
    members = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        filled = [LabelTexts(*pair) for pair in texts]
        task = LabelTask(encoders, filled, labels, Templates(**templates), settings, None, seed)
        state = {
            key: torch.rand_like(value) + 0.5
            if key.endswith("running_var")
            else value + 0.05 * torch.randn_like(value.float()).to(value.dtype)
            for key, value in task.state_dict().items()
        }
        file = folder / f"{seed}.safetensors"
        save_weights(file, state, {})
        sha256 = json.loads(file.with_suffix(".json").read_text())["sha256"]
        members.append(Member(file=file.name, sha256=sha256, seed=seed, fold=0))
    config = TrainedConfig(
        clef=__version__,
        run="untrained",
        dataset="none",
        labels=labels,
        label_texts=texts,
        templates=templates,
        finetune=settings,
        model=name,
        image_size=size,
        architecture=architecture(name),
        normalisation=encoders.normalisation,
        crop={},
        thresholds={},
        members=members,
        scores={},
    )
    return TrainedModel(config, folder, torch.device("cpu"))


@pytest.fixture
def small_vit(tmp_path):
    """Name of a vision transformer that open_clip knows during the test."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "small-vit.json").write_text(json.dumps(SMALL_VIT))
    open_clip.add_model_config(tmp_path / "configs")
    yield "small-vit"
    open_clip.factory._MODEL_CONFIG_PATHS.remove(tmp_path / "configs")
    open_clip.factory._rescan_model_configs()


@pytest.mark.parametrize(
    ("labels", "finetune"),
    [
        (ACTION_UNITS, {}),
        (ACTION_UNITS, {"matching": "pair"}),
        (ACTION_UNITS, {"head": "linear"}),
        (EXPRESSIONS, {}),
    ],
    ids=["sigmoid", "pair", "linear", "expressions"],
)
def test_the_graph_predicts_like_torch_for_every_head(tmp_path, small_vit, labels, finetune):
    model = untrained(tmp_path, small_vit, 48, labels, **finetune)
    write_onnx(model, tmp_path / "model.onnx")
    crops = torch.randint(0, 256, (5, 3, 60, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    expected = model.predict(crops)[0]
    assert np.abs(expected - expected[0]).max() > 1e-3  # not the same for every crop
    np.testing.assert_allclose(run_graph(tmp_path / "model.onnx", centre(crops, 48)), expected, atol=1e-4, rtol=0)


def test_the_graph_predicts_the_test_frames_as_the_evaluation_did(toy_run, exported, tmp_path):
    crops, expected = evaluated_crops(toy_run, 1)
    write_onnx(load_model(exported, fold=1, device="cpu"), tmp_path / "fold.onnx")
    np.testing.assert_allclose(run_graph(tmp_path / "fold.onnx", centre(crops, 32)), expected, atol=1e-4, rtol=0)
    for batch in (1, 7):
        mean = load_model(exported, device="cpu").predict(crops[:batch])[0]
        np.testing.assert_allclose(run_graph(exported / GRAPH, centre(crops[:batch], 32)), mean, atol=1e-4, rtol=0)


def test_the_graph_says_what_its_output_means(exported):
    session = onnxruntime.InferenceSession(exported / GRAPH)
    (images,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(float)", ["batch", 3, 32, 32])
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["batch", 3])
    config = load_model(exported, device="cpu").config
    about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert about == {
        "labels": LABELS,
        "kind": "action_units",
        "thresholds": config.thresholds,
        "image_size": 32,
        "notice": config.notice,
    }


def test_the_example_of_the_card_predicts_like_torch(toy_run, exported, tmp_path):
    (example,) = re.findall(r"```python\n(import json\n.*?)```", (exported / CARD).read_text(), re.DOTALL)
    crop = evaluated_crops(toy_run, 0)[0][:1]
    cv2.imwrite(str(tmp_path / "face.png"), crop[0].permute(1, 2, 0).numpy()[..., ::-1])
    (tmp_path / GRAPH).symlink_to(exported / GRAPH)
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = dict(zip(LABELS, load_model(exported, device="cpu").predict(crop)[0][0].tolist(), strict=True))
    assert ast.literal_eval(done.stdout) == pytest.approx(expected, abs=1e-4)


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ClefError, match=r"--onnx: the package onnx is not installed; run `pip install .*--no-onnx"):
        require_onnx()
