import base64

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from clef.batches.crops import Crops
from clef.errors import ClefError
from clef.faces.crop import crop_shard
from clef.faces.shard import read_fingerprint
from clef.params.schema import LabelParams
from clef.recordings.sequence import RecordedSequence
from clef.trained.load import load_model
from clef.trained.mlflow_model import ServedModel
from tests.toy import toy_params
from tests.trained.conftest import LABELS


def encoded(image: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode()


def shard_crops(folder, images: list[np.ndarray], settings) -> torch.Tensor:
    """The crops that the workflow makes of single images."""
    sequences = []
    for number, image in enumerate(images):
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        sequences.append(RecordedSequence("toy", f"{number}", "S", "A", None, "S", "image", f"{number}.png", 1))
    shard = folder / "S.arrow"
    crop_shard(folder, sequences, settings, shard, folder / "work")
    frames = pd.DataFrame({"shard": "S", "row": range(len(images))})
    frames["sequence"], frames["frame"] = [one.sequence for one in sequences], sequences[0].first_frame
    return Crops({"S": shard}, frames, read_fingerprint(shard)).decode(np.arange(len(images)))


@pytest.fixture
def images():
    """Pictures of different sizes."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (size, size + 7, 3), dtype=np.uint8) for size in (40, 64, 31)]


def test_pictures_are_cropped_and_predicted_like_those_of_the_workflow(exported, images, tmp_path):
    model = load_model(exported, device="cpu")
    rows = ServedModel(model).predict(pd.DataFrame({"image": [encoded(image) for image in images]}))
    expected = model.predict(shard_crops(tmp_path, images, toy_params().crop))[0]
    assert (rows[[f"p_{name}" for name in LABELS]].to_numpy(np.float32) == expected).all()
    assert (rows[LABELS].to_numpy(int) == (expected >= 0.5)).all()
    assert rows["status"].tolist() == ["detected"] * 3


def test_what_is_no_picture_has_a_row_with_its_status(exported, images):
    served = ServedModel(load_model(exported, device="cpu"))
    rows = served.predict(pd.DataFrame({"image": ["no base64", "aGVsbG8=", "", encoded(images[0])]}))
    assert rows["status"].tolist() == ["undecodable"] * 3 + ["detected"]
    assert all(value is None for value in rows.iloc[0, 1:])
    assert rows["AU12"][3] in (0, 1)
    alone = served.predict(pd.DataFrame({"image": [encoded(images[0])]}))
    assert alone.iloc[0].tolist() == rows.iloc[3].tolist()
    assert served.predict(pd.DataFrame({"image": []})).empty


def test_expressions_are_decided_by_the_highest_probability(exported, images):
    model = load_model(exported, device="cpu")
    labels = LabelParams(kind="expressions", expressions=["neutral", "happiness", "anger"])
    model.config = model.config.model_copy(update={"labels": labels})
    rows = ServedModel(model).predict(pd.DataFrame({"image": [encoded(images[0])]}))
    assert rows["expression"][0] == max(labels.names, key=lambda name: rows[f"p_{name}"][0])
    assert not set(labels.names) & set(rows)


def test_a_missing_detector_is_named(exported):
    model = load_model(exported, device="cpu")
    crop = model.config.crop | {"detector": {"name": "yunet", "library": "opencv", "weights": "0" * 64}}
    model.config = model.config.model_copy(update={"crop": crop})
    with pytest.raises(ClefError, match="yunet"):
        ServedModel(model)
