"""Label probabilities of frames."""

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
    """Probability of every label for every frame, float32 (frame, label).

    Args:
        task: Stage 2, moved to `device`; it is left in evaluation mode.
        crops: The frames, each with a crop.
        batch: Images at a time.
        device: Where to compute.
        workers: Processes that decode ahead; 0 decodes in this one.
    """
    task.eval()
    encoders = task.encoders
    results = []
    with autocast(device), progress("test frame") as tell:
        texts = task.texts_for_prediction()
        batches = in_batches(len(crops), batch)
        steps = range(len(batches))
        for positions, pictures in load_steps(crops, batches.__getitem__, steps, workers, device.type == "cuda"):
            images = centre(pictures.to(device, non_blocking=True), encoders.image_size)
            images = normalise(images, encoders.mean, encoders.std)
            results.append(task.probabilities(images, texts).float().cpu().numpy())
            tell(int(positions[-1]) + 1, len(crops))
    return np.concatenate(results)


def prediction_table(
    frames: pd.DataFrame, names: Sequence[str], values: np.ndarray, cropped: np.ndarray
) -> pd.DataFrame:
    """Keys of the frames and a column `p_` per label; missing where a frame has no crop.

    Args:
        frames: Rows of the manifest.
        names: The labels.
        values: (cropped frame, label).
        cropped: Which of the frames have a crop, (frame,).
    """
    full = np.full((len(frames), len(names)), np.nan, dtype=np.float32)
    full[cropped] = values
    columns = pd.DataFrame(full, columns=[f"p_{name}" for name in names], index=frames.index)
    return pd.concat([frames[KEYS], columns], axis=1).reset_index(drop=True)
