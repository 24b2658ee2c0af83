"""Paint in layers: what covers what, and by how much."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

ImageArray = NDArray[Any]
"""(height, width) or (height, width, 3) RGB; 0 to 1 while it is painted, 0 to 255 once it is done."""


@dataclass(frozen=True)
class Layer:
    """A finished layer, uint8."""

    colour: ImageArray
    """(height, width, 3), RGB times coverage."""
    cover: ImageArray
    """(height, width), coverage."""

    def warp(self, matrix: ImageArray, size: tuple[int, int], edge: int = cv2.BORDER_CONSTANT) -> "Layer":
        """The layer under an affine map, (2, 3), cut to (width, height)."""
        return Layer(*(cv2.warpAffine(part, matrix, size, borderMode=edge) for part in (self.colour, self.cover)))

    def over(self, below: ImageArray) -> ImageArray:
        """The picture with this layer on top."""
        rest = cv2.cvtColor(255 - self.cover, cv2.COLOR_GRAY2BGR)
        return cv2.add(cv2.multiply(below, rest, scale=1 / 255), self.colour)


class Painting:
    """A layer at work, float32."""

    def __init__(self, height: int, width: int) -> None:
        self.colour: ImageArray = np.zeros((height, width, 3), np.float32)
        self.cover: ImageArray = np.zeros((height, width), np.float32)

    def paint(self, mask: ImageArray, paint: ArrayLike) -> None:
        """Lay a colour, or a picture, over what is there as far as the mask, 0 to 1, says."""
        self.colour *= 1 - mask[..., None]
        self.colour += mask[..., None] * np.clip(np.asarray(paint, np.float32), 0, 1)
        self.cover *= 1 - mask
        self.cover += mask

    def finish(self) -> Layer:
        """Round to bytes."""
        return Layer(to_bytes(self.colour), to_bytes(self.cover))


def to_bytes(image: ImageArray) -> ImageArray:
    """From 0 to 1 to uint8."""
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def affine(rows: ArrayLike) -> ImageArray:
    """An affine map as OpenCV wants it."""
    return np.asarray(rows, np.float32)
