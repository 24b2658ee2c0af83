"""The head at rest, painted once per person: skin with light and shade, ears, nose, beard and hair.

Eyes, brows and mouth move, so `clef.demo.face_renderer` draws them in every frame.
"""

import numpy as np
from numpy.typing import ArrayLike

from clef.demo.hair import paint_back_hair, paint_front_hair
from clef.demo.head_shape import CENTRE, SHAPE, SIDE, outline, spot, to_pixels
from clef.demo.identity import Identity
from clef.demo.shapes import (
    ImageArray,
    Layer,
    Painting,
    closed_curve,
    curve,
    polygon_mask,
    streaks,
    stroke_mask,
    to_bytes,
)


def paint_head(identity: Identity) -> tuple[Layer, ImageArray]:
    """Paint everything that does not move on the head, and the head from behind, (320, 320, 3)."""
    rng = np.random.default_rng(identity.texture_seed)
    light = _light(identity)
    painting = Painting(SIDE, SIDE)
    paint_back_hair(identity, painting, rng)
    ear = np.array([(-3, -4), (6, -9), (11, 0), (8, 18), (2, 32), (-4, 26)])
    for side in (-1, 1):
        shape = closed_curve(ear * [side, 1] + [side * (identity.half_width - 2), identity.eye_y])
        painting.paint(polygon_mask(SHAPE, to_pixels(shape), 0.8), np.array(identity.skin) * 0.78)
    painting.paint(polygon_mask(SHAPE, outline(identity), 0.8), _skin(identity, rng) * light[..., None])
    paint_front_hair(identity, painting, rng)
    behind: ImageArray = np.array(identity.skin if identity.hair_style == "bald" else identity.hair, np.float32)
    behind = behind * (light * (1 + 0.8 * streaks(rng, SHAPE, 0.8, 9)))[..., None]
    return painting.finish(), to_bytes(behind)


def _light(identity: Identity) -> ImageArray:
    """Brightness of a smooth head under the person's lamp, about 1."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    normal_x = (x - CENTRE[0]) / (identity.half_width * 1.05)
    normal_y = (y - CENTRE[1]) / (identity.above * 1.05)
    normal_z = np.sqrt(np.clip(1 - normal_x**2 - normal_y**2, 0.02, 1))
    lamp = np.array([*identity.light, 1.0])
    lamp /= np.linalg.norm(lamp)
    facing = normal_x * lamp[0] + normal_y * lamp[1] + normal_z * lamp[2]
    return (1 - identity.contrast + identity.contrast * 1.25 * np.clip(facing, 0, 1)).astype(np.float32)


def _line(points: ArrayLike, thickness: int, blur: float) -> ImageArray:
    return stroke_mask(SHAPE, to_pixels(curve(points)), thickness, blur)


def _skin(identity: Identity, rng: np.random.Generator) -> ImageArray:
    """Colour of the skin with its relief, (320, 320, 3)."""
    i = identity
    relief = np.zeros(SHAPE, np.float32)
    ex, ey, nw, ny, my = i.eye_x, i.eye_y, i.nose_width, i.nose_y, i.mouth_y
    for side in (-1, 1):
        relief -= 0.30 * spot(side * ex * 0.93, ey - 3, 15, 8.5)
        relief -= 0.16 * spot(side * 11, ey - 2, 6, 8)
        relief += 0.10 * spot(side * ex * 1.05, ey + 30, 15, 10)
        relief += 0.07 * spot(side * ex * 0.9, ey - 28, 18, 6)
        relief -= 0.10 * spot(side * i.half_width * 0.85, ey + 52, 13, 24)
        relief -= 0.10 * spot(side * (nw * 0.85), ny - 16, 4, 15)
        relief -= 0.22 * _line(
            [(side * (nw - 1), ny - 8), (side * (nw + 2), ny - 1), (side * (nw - 3), ny + 4)], 2, 1.2
        )
        relief -= 0.50 * _line([(side * (nw * 0.62), ny + 4.5), (side * (nw * 0.30), ny + 3.5)], 4, 1.2)
        relief -= 0.09 * _line([(side * (nw + 5), ny + 3), (side * (i.mouth_width + 5), my - 6)], 2, 2.5)
        relief -= 0.10 * _line([(side * (ex - 13), ey + 12), (side * ex, ey + 15), (side * (ex + 11), ey + 11)], 2, 2)
    relief += 0.13 * _line([(0, ey - 10), (0, ny - 8)], 6, 3)
    relief += 0.12 * spot(i.light[0] * 6, ny - 5, 6, 6)
    relief -= 0.20 * spot(0, ny + 8, nw * 0.9, 3.5)
    relief -= 0.06 * spot(0, ny + 15, 3, 6)
    relief -= 0.17 * spot(0, my + i.lower_lip + 6, 15, 4)
    relief += 0.08 * spot(0, i.below - 16, 14, 9)
    relief += 0.08 * spot(i.light[0] * 30, -46, 30, 16)
    relief -= 0.14 * spot(0, i.below + 4, 40, 9)
    grain = streaks(rng, SHAPE, 1.2, 1.2)
    colour = np.array(i.skin, np.float32) * (1 + relief + 0.025 * grain)[..., None]
    # Skin of any colour shines by the same amount, so dark skin has stronger highlights.
    colour += 0.35 * np.maximum(relief, 0)[..., None]
    blush = sum(spot(side * (i.half_width * 0.58), ny - 2, 16, 12) for side in (-1, 1)) + 0.7 * spot(0, ny - 3, 8, 6)
    colour *= 1 - 0.10 * np.asarray(blush)[..., None] * np.array([0.0, 1.0, 0.8], np.float32)
    _paint_freckles_and_moles(identity, colour, rng)
    _paint_beard(identity, colour, rng)
    return colour


def _paint_freckles_and_moles(identity: Identity, colour: ImageArray, rng: np.random.Generator) -> None:
    for _ in range(identity.freckles):
        freckle = spot(rng.normal(0, 26), rng.normal(identity.nose_y - 8, 9), 0.9, 0.9)
        colour *= 1 - rng.uniform(0.12, 0.3) * freckle[..., None] * np.array([0.6, 1, 1.2], np.float32)
    for _ in range(identity.moles):
        x, y = rng.uniform(-0.75, 0.75) * identity.half_width, rng.uniform(-40, 60)
        size = rng.uniform(1.0, 1.9)
        colour *= 1 - 0.65 * spot(x, y, size, size)[..., None]


def _paint_beard(identity: Identity, colour: ImageArray, rng: np.random.Generator) -> None:
    if identity.beard == "none":
        return
    w, my, mw, low = identity.half_width, identity.mouth_y, identity.mouth_width, identity.below
    moustache = [(-mw - 3, my - 2), (-mw * 0.5, my - 13), (0, my - 12), (mw * 0.5, my - 13), (mw + 3, my - 2)]
    mask = polygon_mask(SHAPE, to_pixels(closed_curve([*moustache, (0, my - 7)])), 1.5)
    if identity.beard in ("full", "stubble"):
        rim = [(-w, 12), (-0.8 * w, 34), (-mw - 8, my - 4), (-mw - 6, my + 12), (0, my + 15), (mw + 6, my + 12)]
        rim += [(mw + 8, my - 4), (0.8 * w, 34), (w, 12), (w, low * 0.7), (0, low + 8), (-w, low * 0.7)]
        mask = np.maximum(mask, polygon_mask(SHAPE, to_pixels(closed_curve(rim, 96)), 3))
    strength = 0.28 if identity.beard == "stubble" else 0.72
    mask = np.clip(mask * strength * (1 + 0.45 * streaks(rng, SHAPE, 0.7, 1.8)), 0, 0.95)[..., None]
    colour *= 1 - mask
    colour += mask * np.array(identity.brows, np.float32)
