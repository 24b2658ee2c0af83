"""Hair and headwear, in two layers: behind the face, and over forehead and temples."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from clef.demo.identity import Identity
from clef.demo.shapes import Points, loop, polygon_mask

FloatImage = NDArray[np.float32]
Outline = Callable[[Identity, float], Points]

VOLUME = {
    "long": 11, "bob": 13, "fringe": 10, "bun": 6, "curly": 20, "headscarf": 12, "short": 9,
    "buzz": 2, "side": 10, "bald": 0, "receding": 4, "beanie": 10,
}  # fmt: skip
"""How far each style stands off the skull, in pixels."""


def paint_back_hair(
    identity: Identity, colour: FloatImage, cover: FloatImage, outline: Outline, centre: NDArray, rng: np.random.Generator
) -> None:
    """Paint what hangs or stands behind the face, in place."""
    style, w = identity.hair_style, identity.half_width
    shape = cover.shape
    volume = VOLUME[style]
    if style in ("bald", "buzz", "receding", "beanie"):
        return
    shapes = [outline(identity, volume)] if style != "side" else []
    if style == "long":
        shapes.append(loop(_mirrored([(0, -90), (w + 9, -30), (w + 16, 50), (w + 10, 125), (w * 0.5, 135)])) + centre)
    if style in ("bob", "fringe"):
        shapes.append(loop(_mirrored([(0, -80), (w + 12, -20), (w + 20, 40), (w + 8, 84), (w * 0.6, 88)])) + centre)
    if style == "bun":
        shapes = [loop(_mirrored([(0, -identity.above - 38), (26, -identity.above - 20), (16, -identity.above + 12)])) + centre]
    if style == "headscarf":
        shapes.append(loop(_mirrored([(0, -80), (w + 14, -20), (w + 16, 60), (w + 26, 135), (w * 0.6, 145)])) + centre)
    mask = np.zeros(shape, np.float32)
    for points in shapes:
        mask = np.maximum(mask, polygon_mask(shape, points, 1.0))
    if style == "curly":
        mask = np.maximum(mask, _curls(identity, centre, shape, rng))
        mask[int(centre[1]) + 45 :] *= 0.0 if identity.beard == "full" else 1.0
    _comb(identity, colour, cover, mask, 0.72, rng)


def paint_front_hair(
    identity: Identity, colour: FloatImage, cover: FloatImage, outline: Outline, centre: NDArray, rng: np.random.Generator
) -> None:
    """Paint the hair over forehead and temples, in place, with the shadow that it casts on the skin."""
    style, w, line = identity.hair_style, identity.half_width, -identity.hairline
    if style == "bald":
        return
    shape = cover.shape
    scalp = polygon_mask(shape, outline(identity, VOLUME[style]), 1.0)
    temple = {"long": 70, "bob": 74, "fringe": 70, "headscarf": 300, "curly": 26, "beanie": -34}.get(style, 4)
    rows = np.arange(shape[0])[:, None] - centre[1]
    scalp = scalp * np.clip((temple - rows) / 8, 0, 1).astype(np.float32)
    side = float(np.sign(identity.light[0]) or 1)
    opening = {
        "side": [(-side * 0.80 * w, line + 18), (-side * 0.45 * w, line - 8), (side * 0.35 * w, line + 10), (side * 0.86 * w, line + 32)],
        "fringe": [(-0.84 * w, -44), (-0.4 * w, -46), (0.4 * w, -46), (0.84 * w, -44)],
        "long": [(-0.86 * w, line + 34), (-0.35 * w, line), (0, line - 16), (0.35 * w, line), (0.86 * w, line + 34)],
        "receding": [(-0.90 * w, line + 8), (-0.60 * w, line - 26), (0, line - 4), (0.60 * w, line - 26), (0.90 * w, line + 8)],
        "beanie": [(-0.99 * w, -44), (0, -50), (0.99 * w, -44)],
        "headscarf": [(-0.80 * w, -34), (-0.5 * w, line + 6), (0, line), (0.5 * w, line + 6), (0.80 * w, -34)],
    }.get(style, [(-0.90 * w, line + 22), (-0.5 * w, line + 2), (0, line), (0.5 * w, line + 2), (0.90 * w, line + 22)])  # fmt: skip
    if side < 0 and style == "side":
        opening.reverse()
    lower = 0.86 * w if style in ("long", "bob", "fringe", "headscarf") else 1.15 * w
    chin = identity.below * (0.86 if style == "headscarf" else 1.4)
    rim = [*opening, (lower, 10), (lower * 0.90, chin * 0.6), (0, chin), (-lower * 0.90, chin * 0.6), (-lower, 10)]
    window = polygon_mask(shape, loop(rim, 120) + centre, 1.2)
    mask = scalp * (1 - window)
    shadow = cv2.GaussianBlur(np.roll(mask, 5, axis=0), (0, 0), 4)
    colour *= 1 - 0.35 * (shadow * (1 - mask))[..., None]
    _comb(identity, colour, cover, mask, 1.0 if style != "buzz" else 0.9, rng)


def _comb(
    identity: Identity, colour: FloatImage, cover: FloatImage, mask: FloatImage, light: float, rng: np.random.Generator
) -> None:
    shape = cover.shape
    cloth = identity.hair_style in ("headscarf", "beanie")
    spread = {"curly": (2.0, 2.0), "buzz": (0.8, 0.8), "short": (0.9, 4.0)}.get(identity.hair_style, (0.9, 9.0))
    streaks = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=spread[0], sigmaY=spread[1])
    streaks *= (0.15 if cloth else 0.5) / (streaks.std() * 2)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    crown = 0.35 * np.exp(-0.5 * ((y - 95 - 0.004 * (x - 160) ** 2) / 12) ** 2) * (0.3 if cloth else 1)
    sheen = 1 + identity.light[0] * (x - 160) / 200
    mask = mask if identity.hair_style != "buzz" else mask * 0.85
    paint = np.array(identity.hair, np.float32) * (light * sheen * (1 + streaks + crown))[..., None]
    paint += 0.04 * np.clip(crown, 0, 1)[..., None]
    colour *= 1 - mask[..., None]
    colour += mask[..., None] * np.clip(paint, 0, 1)
    cover *= 1 - mask
    cover += mask


def _curls(identity: Identity, centre: NDArray, shape: tuple[int, ...], rng: np.random.Generator) -> FloatImage:
    mask = np.zeros(shape, np.uint8)
    for angle in np.linspace(-0.15, np.pi + 0.15, 26):
        radius = rng.uniform(13, 20)
        reach_x, reach_y = identity.half_width + 14, identity.above + 12
        x, y = centre[0] + reach_x * np.cos(angle), centre[1] - reach_y * np.sin(angle)
        cv2.circle(mask, (round(float(x)), round(float(y))), round(float(radius)), 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.0)


def _mirrored(right: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A closed contour from its right half, listed from the top down; a first point on the axis is not doubled."""
    start = 1 if right[0][0] == 0 else 0
    return right + [(-x, y) for x, y in reversed(right[start:])]
