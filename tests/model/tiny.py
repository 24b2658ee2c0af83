"""A tiny open_clip model, and images for it."""

import numpy as np
import torch

from clef.model.encoders import Encoders
from clef.params.schema import ModelParams

TINY = ModelParams(name="clef-tiny", image_size=32)

IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3, 32, 32)).astype(np.float32))


def encoders(settings: ModelParams = TINY) -> Encoders:
    torch.manual_seed(0)
    return Encoders(settings)
