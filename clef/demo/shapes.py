"""Smooth curves, soft spots and layers of paint, from which everything is drawn. Points are (x, y) in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

ImageArray = NDArray[Any]
"""(height, width) or (height, width, 3) RGB: float32 from 0 to 1 while it is painted, then uint8."""
Points = NDArray[np.float64]
PixelValue = Sequence[float] | float
SHIFT = 4  # fractional bits of OpenCV coordinates, so that slow movements are not rounded to pixels


@lru_cache(maxsize=64)
def _catmull_rom(knots: int, samples: int, closed: bool) -> NDArray[np.float64]:
    """Return the matrix from knots to points on the Catmull-Rom curve through them."""
    spans = knots if closed else knots - 1
    t = np.linspace(0, spans, samples, endpoint=not closed)
    span = np.minimum(t.astype(int), spans - 1)
    f = t - span
    weights = [
        -0.5 * f + f**2 - 0.5 * f**3,
        1 - 2.5 * f**2 + 1.5 * f**3,
        0.5 * f + 2 * f**2 - 1.5 * f**3,
        -0.5 * f**2 + 0.5 * f**3,
    ]
    matrix = np.zeros((samples, knots))
    for offset in range(4):
        index = span + offset - 1
        index = index % knots if closed else np.clip(index, 0, knots - 1)
        np.add.at(matrix, (np.arange(samples), index), weights[offset])
    return matrix


def curve(points: ArrayLike, samples: int = 16) -> Points:
    """Sample a smooth open curve through the points."""
    knots = np.asarray(points, float)
    return _catmull_rom(len(knots), samples, False) @ knots


def closed_curve(points: ArrayLike, samples: int = 64) -> Points:
    """Sample a smooth closed curve through the points."""
    knots = np.asarray(points, float)
    return _catmull_rom(len(knots), samples, True) @ knots


def _fixed_point(points: Points) -> NDArray[np.int32]:
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


def fill(image: ImageArray, points: Points, colour: PixelValue) -> None:
    """Fill a polygon in place."""
    cv2.fillPoly(image, [_fixed_point(points)], colour, cv2.LINE_AA, SHIFT)


def stroke(image: ImageArray, points: Points, colour: PixelValue, thickness: int = 1) -> None:
    """Draw an open curve in place."""
    cv2.polylines(image, [_fixed_point(points)], False, colour, thickness, cv2.LINE_AA, SHIFT)


def disc(image: ImageArray, centre: ArrayLike, radius: float, colour: PixelValue, thickness: int = -1) -> None:
    """Draw a filled circle, or a ring, in place."""
    x, y = _fixed_point(np.asarray(centre, float))
    cv2.circle(image, (int(x), int(y)), round(radius * (1 << SHIFT)), colour, thickness, cv2.LINE_AA, SHIFT)


def polygon_mask(shape: tuple[int, int], points: Points, blur: float = 0.0) -> ImageArray:
    """Coverage of a polygon, 0 to 1, blurred by a standard deviation in pixels."""
    mask = np.zeros(shape, np.uint8)
    fill(mask, points, 255)
    return _blurred(mask, blur)


def stroke_mask(shape: tuple[int, int], points: Points, thickness: int = 1, blur: float = 0.0) -> ImageArray:
    """Coverage of an open curve, as `polygon_mask`."""
    mask = np.zeros(shape, np.uint8)
    stroke(mask, points, 255, thickness)
    return _blurred(mask, blur)


def _blurred(mask: ImageArray, blur: float) -> ImageArray:
    coverage = mask.astype(np.float32) / 255
    return cv2.GaussianBlur(coverage, (0, 0), blur) if blur > 0 else coverage


def streaks(rng: np.random.Generator, shape: tuple[int, int], width: float, height: float) -> ImageArray:
    """White noise, blurred by these standard deviations: the texture of hair, cloth and skin."""
    return cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=width, sigmaY=height)


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
