"""The model that MLflow serves: a column of encoded pictures in, one row of predictions for each out."""

import base64
import binascii
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from clef.faces.crop import crop_row
from clef.faces.detectors import build_detector
from clef.faces.face_track import find_single_faces
from clef.faces.shard import decode_crop
from clef.recordings.frames import Frame, decode_image
from clef.trained.columns import EXPRESSION, PROBABILITY
from clef.trained.config import TrainedConfig
from clef.trained.crop_settings import crop_settings
from clef.trained.load import load_model
from clef.trained.trained_model import TrainedModel

log = logging.getLogger(__name__)

IMAGE, STATUS = "image", "status"


class ServedModel:
    """Finds the main face of each picture, crops it as in training, and predicts its labels."""

    def __init__(self, model: TrainedModel) -> None:
        self.model = model
        self.settings, notices = crop_settings(model.config.crop, None, "cpu")
        self.detector = build_detector(self.settings)
        self._lock = threading.Lock()  # MLflow answers requests in several threads, and detectors keep state
        for notice in notices:
            log.warning("%s", notice)

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict one row per picture, in order.

        Args:
            data: The column `image`, with picture files of any size, encoded in base64.
            params: Not used; MLflow passes it.

        Returns:
            `status` (detected, no_face or undecodable), `p_` + label, and decisions: for action units a column per
            label with 0 or 1, for expressions the column `expression`. Without a face, all but the status are None.
        """
        frames = [_frame(number, encoded) for number, encoded in enumerate(data[IMAGE])]
        with self._lock:
            found = [
                crop_row("", item, self.settings) for item in find_single_faces(frames, self.detector, self.settings)
            ]
            encoded = [row["crop"] for row in found if "crop" in row]
            predicted = iter(self._predict_crops(encoded) if encoded else ())
        rows = [{STATUS: row["status"], **(next(predicted) if "crop" in row else {})} for row in found]
        table = pd.DataFrame(rows, columns=output_columns(self.model.config), dtype=object)
        return table.where(table.notna(), None)  # null in JSON

    def _predict_crops(self, encoded: list[bytes]) -> list[dict[str, Any]]:
        crops = []
        for jpeg in encoded:
            crop = decode_crop(jpeg)
            assert crop is not None, "encoded just now"
            crops.append(crop)
        probabilities, _ = self.model.predict(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2))
        return [
            self._row(dict(zip(self.model.config.labels.names, row, strict=True))) for row in probabilities.tolist()
        ]

    def _row(self, probabilities: dict[str, float]) -> dict[str, Any]:
        row: dict[str, Any] = {f"{PROBABILITY}{name}": value for name, value in probabilities.items()}
        if self.model.config.labels.kind == "expressions":
            return row | {EXPRESSION: max(probabilities, key=lambda name: probabilities[name])}
        thresholds = self.model.config.thresholds
        return row | {name: int(value >= thresholds[name]) for name, value in probabilities.items()}


def output_columns(config: TrainedConfig) -> list[str]:
    """Names of the columns of a prediction."""
    names = config.labels.names
    decisions = [EXPRESSION] if config.labels.kind == "expressions" else names
    return [STATUS, *(f"{PROBABILITY}{name}" for name in names), *decisions]


def _frame(number: int, encoded: str) -> Frame:
    try:
        return Frame(number, *decode_image(base64.b64decode(encoded, validate=True), f"image {number}"))
    except (binascii.Error, ValueError) as error:
        return Frame(number, None, f"image {number}: not base64 ({error})")


def _load_pyfunc(path: str) -> ServedModel:
    """Load the exported folder for MLflow, which requires this name."""
    return ServedModel(load_model(Path(path)))
