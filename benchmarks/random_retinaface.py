"""A RetinaFace with random weights that finds tens of boxes, since trained weights cannot be redistributed."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch


def random_model(predict_single: ModuleType, side: int) -> Any:
    """Return the package's own model with seeded weights whose class heads accept a few anchors in a hundred."""
    torch.manual_seed(0)
    model = predict_single.Model(max_size=side)
    for classes, boxes in zip(model.model.ClassHead, model.model.BboxHead, strict=True):
        classes.conv1x1.weight.data *= 2
        classes.conv1x1.bias.data += torch.tensor([1.0, -1.0]).repeat(2)
        boxes.conv1x1.weight.data *= 0.3  # near their anchors, so that many do not overlap
    model.eval()
    return model


def noise_images(shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Return coarse RGB noise of the given heights and widths."""
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (h // 12, w // 12, 3), dtype=np.uint8) for h, w in shapes]
    return [cv2.resize(c, (w, h), interpolation=cv2.INTER_CUBIC) for c, (h, w) in zip(coarse, shapes, strict=True)]
