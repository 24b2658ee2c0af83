"""Predict the label probabilities of frames."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from clef.batches.augmentation import centre, normalise
from clef.batches.crops import Crops, in_batches, load_steps
from clef.model.device import autocast
from clef.model.tasks import LabelTask
from clef.runtime.progress import progress

KEYS = ["dataset", "subject", "activity", "sequence", "frame", "status"]


@torch.no_grad()
def probabilities(task: LabelTask, crops: Crops, batch: int, device: torch.device, workers: int = 0) -> np.ndarray:
    """Predict the probability of each label for each frame, float32 (frame, label).

    The task must be on `device`, and is left in evaluation mode. `workers` processes decode; with 0, this process does.
    """
    task.eval()
    encoders = task.encoders
    results = []
    with autocast(device), progress("test frame") as show:
        texts = task.texts_for_prediction()
        batches = in_batches(len(crops), batch)
        steps = range(len(batches))
        for indices, crops_of_step in load_steps(crops, batches.__getitem__, steps, workers, device.type == "cuda"):
            images = centre(crops_of_step.to(device, non_blocking=True), encoders.image_size)
            images = normalise(images, encoders.mean, encoders.std)
            results.append(task.probabilities(images, texts).float().cpu().numpy())
            show(int(indices[-1]) + 1, len(crops))
    return np.concatenate(results)


def prediction_table(
    frames: pd.DataFrame, names: Sequence[str], values: np.ndarray, cropped: np.ndarray
) -> pd.DataFrame:
    """Make a table of the frames' keys and one column `p_LABEL` per label, missing for frames without a crop.

    `values` are probabilities, (cropped frame, label), and `cropped` says whether each frame has a crop, (frame,).
    """
    full = np.full((len(frames), len(names)), np.nan, dtype=np.float32)
    full[cropped] = values
    columns = pd.DataFrame(full, columns=[f"p_{name}" for name in names], index=frames.index)
    return pd.concat([frames[KEYS], columns], axis=1).reset_index(drop=True)
