"""CLEF: facial behaviour learnt from activities and text."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clef.predict.api import Predictor

__version__ = "0.1.0"

# OpenCV refuses to decode images with more pixels. It reads this variable once, when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")


def load(
    name: str | Path, fold: int | str | None = None, seed: int | None = None, device: str | None = None
) -> "Predictor":
    """Load a trained model to predict videos and images with, see docs/predicting.md.

    Args:
        name: Name of a run, folder of its results, or folder from `clef export`.
        fold: Use the weights of this fold only; by default, the probabilities of all folds are averaged.
        seed: Use the weights of this seed only.
        device: `cpu` or `cuda`; by default `cuda` if there is a GPU.
    """
    from clef.predict.api import Predictor

    return Predictor(name, fold, seed, device)
