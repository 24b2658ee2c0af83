"""Layers of paint with coverage, which are laid over each other."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

ImageArray = NDArray[Any]
"""(height, width) or (height, width, 3) RGB: float32 from 0 to 1 while it is painted, then uint8."""


@dataclass(frozen=True)
class Layer:
    """A finished layer, uint8."""

    colour: ImageArray  # (height, width, 3), RGB times coverage
    cover: ImageArray  # (height, width)

    def warp(self, matrix: ImageArray, size: tuple[int, int], edge: int = cv2.BORDER_CONSTANT) -> "Layer":
        """Apply an affine map, (2, 3), and cut to (width, height)."""
        return Layer(*(cv2.warpAffine(part, matrix, size, borderMode=edge) for part in (self.colour, self.cover)))

    def over(self, below: ImageArray) -> ImageArray:
        """Lay this layer over an image."""
        rest = cv2.cvtColor(255 - self.cover, cv2.COLOR_GRAY2BGR)
        return cv2.add(cv2.multiply(below, rest, scale=1 / 255), self.colour)


class Painting:
    """An unfinished layer, float32."""

    def __init__(self, height: int, width: int) -> None:
        self.colour: ImageArray = np.zeros((height, width, 3), np.float32)
        self.cover: ImageArray = np.zeros((height, width), np.float32)

    def paint(self, mask: ImageArray, paint: ArrayLike) -> None:
        """Paint a colour, or an image, through a mask from 0 to 1."""
        self.colour *= 1 - mask[..., None]
        self.colour += mask[..., None] * np.clip(np.asarray(paint, np.float32), 0, 1)
        self.cover *= 1 - mask
        self.cover += mask

    def finish(self) -> Layer:
        """Round to bytes."""
        return Layer(to_bytes(self.colour), to_bytes(self.cover))


def to_bytes(image: ImageArray) -> ImageArray:
    """Convert from 0 to 1 to uint8."""
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def affine(rows: ArrayLike) -> ImageArray:
    """Convert an affine map to OpenCV's type."""
    return np.asarray(rows, np.float32)
