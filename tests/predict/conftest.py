"""Exported models with untrained weights, and small videos."""

import hashlib
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clef.faces.detectors import build_detector
from clef.faces.fingerprint import crop_fingerprint
from clef.fixtures.face_pictures import cropped
from clef.model.encoders import Encoders, architecture
from clef.model.tasks import LabelTask
from clef.model.texts import as_recorded, label_templates, label_texts
from clef.params.schema import CropParams, FinetuneParams, LabelParams, ModelParams, TextParams
from clef.trained.config import CONFIG, Member, TrainedConfig

ACTION_UNITS = LabelParams(action_units=[1, 4, 12])
EXPRESSIONS = LabelParams(kind="expressions", expressions=["neutral", "happiness", "anger"])


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Write a folder as `clef export` does, for crop settings and labels."""
    folders = itertools.count()

    def make(labels: LabelParams = ACTION_UNITS, head: str = "text", scores=None, notice=None, **crop) -> Path:
        folder = tmp_path_factory.mktemp("models") / f"model{next(folders)}"
        folder.mkdir()
        model, finetune = ModelParams(name="clef-tiny", image_size=32), FinetuneParams(head=head)
        settings = CropParams(**{"detector": "none", "size": 40} | crop)
        torch.manual_seed(0)
        encoders = Encoders(model)
        texts, templates = label_texts(TextParams(), labels), label_templates(TextParams())
        task = LabelTask(encoders, texts, labels, templates, finetune, None, 0)
        weights = {name: value.contiguous() for name, value in task.state_dict().items()}
        save_file(weights, folder / "member.safetensors")
        sha256 = hashlib.sha256((folder / "member.safetensors").read_bytes()).hexdigest()
        config = TrainedConfig(
            clef="0",
            run="toy",
            dataset="toy",
            labels=labels,
            finetune=finetune,
            model=model.name,
            image_size=model.image_size,
            architecture=architecture(model.name),
            normalisation=encoders.normalisation,
            crop=crop_fingerprint(settings, build_detector(settings).fingerprint),
            thresholds=dict.fromkeys(labels.names, 0.5) if labels.kind == "action_units" else {},
            members=[Member(file="member.safetensors", sha256=sha256, seed=0, fold=0)],
            scores=scores or {},
            notice=notice,
            **as_recorded(texts, templates),
        )
        (folder / CONFIG).write_text(config.to_json())
        return folder

    return make


@pytest.fixture(scope="session")
def whole_image_model(make_model) -> Path:
    """Takes each image as a face, so `every` does not apply."""
    return make_model(every=5)


@pytest.fixture(scope="session")
def face_model(make_model) -> Path:
    """Finds faces with mtcnn."""
    return make_model(detector="mtcnn", detect_size=160)


def picture(*faces: tuple[int, int], side: int = 80, height: int = 120, width: int = 320) -> np.ndarray:
    """A room with the faces of different people, each given by its left and top edge."""
    image = np.full((height, width, 3), (70, 90, 80), np.uint8)
    for person, (left, top) in enumerate(faces):
        image[top : top + side, left : left + side] = cropped("neutral", person, side)
    return image


def write_image(path: Path, image: np.ndarray) -> Path:
    """Write an RGB, RGBA or grey image."""
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[image.ndim if image.ndim == 2 else image.shape[2]]
    cv2.imwrite(str(path), image if order is None else cv2.cvtColor(image, order))
    return path
