"""Images to augment, and how far apart their views are."""

import numpy as np
import torch

from clef.batches.augmentation import centre
from clef.model.tasks import Encoders

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 40, 40), dtype=np.uint8))
POSITIONS = np.arange(6)

UNCHANGED = {"rotation": 0, "scale": [1, 1], "shift": 0, "flip": 0, "grey": 0, "blur": 0}
UNCHANGED |= {"brightness": 0, "contrast": 0, "saturation": 0}
"""An augmentation that leaves images as they are."""


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How far two views of each image differ, (batch,)."""
    return (one - other).abs().mean(dim=(1, 2, 3))


def as_evaluated(encoders: Encoders) -> torch.Tensor:
    """`IMAGES` without augmentation, normalised."""
    mean, std = (torch.tensor(encoders.normalisation[name])[:, None, None] for name in ("mean", "std"))
    return (centre(IMAGES, encoders.image_size) - mean) / std
