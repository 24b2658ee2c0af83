"""Predict the label probabilities of frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from clef.batches.crops import Crops, in_batches, load_steps
from clef.manifest.select import TEST_KEYS
from clef.model.device import autocast
from clef.model.tasks import LabelTask
from clef.runtime.progress import progress


class Predictions(NamedTuple):
    """What a task says about frames."""

    probabilities: np.ndarray
    """Of each label, float32 (frame, label)."""
    similarities: np.ndarray | None
    """Cosine of each image and each label's description, float32 (frame, label), if no image was ever matched with a
    description."""


@torch.no_grad()
def predict_frames(
    task: LabelTask, crops: Crops, batch: int, device: torch.device, workers: int = 0, *, describe: bool = True
) -> Predictions:
    """Predict the labels of each frame.

    The task must be on `device`, and is left in evaluation mode. `workers` threads decode ahead.
    Without `describe`, images are not compared with descriptions.
    """
    task.eval()
    encoders = task.encoders
    probabilities, similarities = [], []
    with autocast(device), progress("test frame") as show:
        texts, descriptions = task.texts_for_prediction(), task.unmatched_texts() if describe else None
        batches = in_batches(len(crops), batch)
        steps = range(len(batches))
        for indices, images in load_steps(crops, batches.__getitem__, steps, encoders.evaluation_view, device, workers):
            features = task.features(images)
            probabilities.append(task.probabilities(features, texts).float().cpu().numpy())
            if descriptions is not None:
                similarities.append(task.cosines(features, descriptions).cpu().numpy())
            show(int(indices[-1]) + 1, len(crops))
    return Predictions(np.concatenate(probabilities), np.concatenate(similarities) if similarities else None)


def prediction_table(frames: pd.DataFrame, names: Sequence[str], predicted: Predictions) -> pd.DataFrame:
    """Make a table of the frames' keys, the probabilities `p_LABEL` and, if any, the similarities `d_LABEL`."""
    parts = [frames[TEST_KEYS].reset_index(drop=True)]
    for prefix, values in (("p", predicted.probabilities), ("d", predicted.similarities)):
        if values is not None:
            parts.append(pd.DataFrame(values, columns=[f"{prefix}_{name}" for name in names]))
    return pd.concat(parts, axis=1)
