"""Compute the frozen image features of frames."""

import numpy as np
import torch

from clef.batches.crops import Crops, in_batches, load_steps
from clef.model.device import autocast
from clef.model.encoders import Encoders
from clef.runtime.progress import progress


@torch.no_grad()
def image_features(encoders: Encoders, crops: Crops, batch: int, device: torch.device, workers: int = 0) -> np.ndarray:
    """Encode crops without augmentation to the unit features that both stages compare with texts, (frame, dim) float32.

    The encoders must be on `device`, and are left in evaluation mode. `workers` threads decode ahead.
    """
    encoders.eval()
    features = np.empty((len(crops), encoders.dim), dtype=np.float32)
    with autocast(device), progress("frame") as show:
        batches = in_batches(len(crops), batch)
        steps = range(len(batches))
        for indices, images in load_steps(crops, batches.__getitem__, steps, encoders.evaluation_view, device, workers):
            features[indices] = encoders.images(images).cpu().numpy()
            show(int(indices[-1]) + 1, len(crops))
    return features
