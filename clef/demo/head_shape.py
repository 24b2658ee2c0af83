"""Position, outline and depth of the head in the drawing."""

import numpy as np
from numpy.typing import ArrayLike

from clef.demo.identity import Identity
from clef.demo.shapes import ImageArray, Points, closed_curve

SIDE = 320  # height and width of the drawing
SHAPE = (SIDE, SIDE)
CENTRE = np.array([160.0, 158.0])  # of the head, slightly above the middle between top and chin


def to_pixels(points: ArrayLike) -> Points:
    """Convert coordinates relative to the head's centre to pixels of the drawing."""
    return np.asarray(points, float) + CENTRE


def spot(x: float, y: float, width: float, height: float) -> ImageArray:
    """A Gaussian spot with peak 1, (320, 320), relative to the head's centre; its size is in standard deviations."""
    across = np.exp(-0.5 * ((np.arange(SIDE) - (CENTRE[0] + x)) / width) ** 2).astype(np.float32)
    down = np.exp(-0.5 * ((np.arange(SIDE) - (CENTRE[1] + y)) / height) ** 2).astype(np.float32)
    return np.outer(down, across)


def outline(identity: Identity, grow: float = 0.0) -> Points:
    """Closed outline of the face, moved outwards by `grow` pixels."""
    w, top, low = identity.half_width + grow, identity.above + grow, identity.below + grow
    half = [(0, -top), (0.52 * w, -0.88 * top), (0.88 * w, -0.55 * top), (w, -0.10 * top), (0.97 * w, 0.22 * low)]
    half += [(identity.jaw * w, 0.62 * low), (identity.chin * w, 0.90 * low), (0, low)]
    return to_pixels(closed_curve(mirrored(half), 120))


def mirrored(right: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Complete a closed outline from its right half, which runs downwards. Points on the axis are not doubled."""
    return right + [(-x, y) for x, y in reversed(right) if x != 0]


def depth(identity: Identity) -> ImageArray:
    """Depth of the head, (320, 320): 1 in the middle, 0 at the rim and outside."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    u = (x - CENTRE[0]) / (identity.half_width * 1.02)
    reach = np.where(y < CENTRE[1], identity.above, identity.below) * 1.02
    v = (y - CENTRE[1]) / reach
    return np.sqrt(np.clip(1 - u**2 - v**2, 0, 1)).astype(np.float32)
