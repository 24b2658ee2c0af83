"""Hair and headwear, in two layers: behind the face, and over forehead and temples."""

import cv2
import numpy as np

from clef.demo.head_shape import CENTRE, SHAPE, SIDE, mirrored, outline, to_pixels
from clef.demo.identity import HEADWEAR, Identity
from clef.demo.shapes import ImageArray, Painting, Points, closed_curve, polygon_mask, streaks

VOLUME = {
    "long": 11, "bob": 13, "fringe": 10, "bun": 6, "curly": 20, "headscarf": 12, "short": 9,
    "buzz": 2, "side": 10, "receding": 4, "beanie": 10,
}  # fmt: skip
"""Distance of each style from the skull in pixels."""
STRANDS = {
    "curly": (2.0, 2.0), "buzz": (0.8, 0.8), "short": (0.9, 4.0),
    "headscarf": (5.0, 18.0), "beanie": (1.2, 8.0),
}  # fmt: skip
"""Width and length of the strands that are not long and straight."""
TEMPLE = {"long": 70, "bob": 74, "fringe": 70, "headscarf": 300, "curly": 8, "beanie": -44}
"""How far below the head's centre hair reaches before the ears, if not just to the ears."""

Coordinates = list[tuple[float, float]]


def paint_back_hair(identity: Identity, painting: Painting, rng: np.random.Generator) -> None:
    """Paint the hair behind the face."""
    shapes = _behind_face(identity)
    if identity.hair_style == "curly":
        mask = _curls(identity, rng)
    elif shapes:
        mask = np.max([polygon_mask(SHAPE, points, 1.0) for points in shapes], axis=0)
    else:
        return
    if identity.hair_style != "headscarf":
        w = identity.half_width
        neck = to_pixels([(-0.50 * w, 0), (0.50 * w, 0), (0.54 * w, 160), (-0.54 * w, 160)])
        mask = mask * (1 - polygon_mask(SHAPE, neck, 1.5))
    painting.paint(mask, 0.72 * _strands(identity, rng))


def paint_front_hair(identity: Identity, painting: Painting, rng: np.random.Generator) -> None:
    """Paint the hair over forehead and temples, with its shadow on the skin."""
    style, w = identity.hair_style, identity.half_width
    if style == "bald":
        return
    rows = np.arange(SIDE, dtype=np.float32)[:, None] - CENTRE[1]
    scalp = polygon_mask(SHAPE, outline(identity, VOLUME[style]), 1.0)
    scalp = scalp * np.clip((TEMPLE.get(style, 4) - rows) / 8, 0, 1)
    lower = 0.86 * w if style in ("long", "bob", "fringe", "headscarf") else 1.15 * w
    chin = identity.below * (0.86 if style == "headscarf" else 1.4)
    sides = [(lower, 10), (lower * 0.90, chin * 0.6), (0, chin), (-lower * 0.90, chin * 0.6), (-lower, 10)]
    window = polygon_mask(SHAPE, to_pixels(closed_curve([*_forehead(identity), *sides], 120)), 1.2)
    mask = scalp * (1 - window * polygon_mask(SHAPE, outline(identity), 1.0))
    shadow = cv2.GaussianBlur(np.roll(mask, 5, axis=0), (0, 0), 4)
    painting.colour *= 1 - 0.35 * (shadow * (1 - mask))[..., None]
    painting.paint(mask * (0.85 if style == "buzz" else 1.0), _strands(identity, rng))


def _behind_face(identity: Identity) -> list[Points]:
    style, w, top = identity.hair_style, identity.half_width, identity.above
    half_long: Coordinates = [(0, -80), (w + 12, -20), (w + 20, 40), (w + 8, 84), (w * 0.6, 88)]
    hanging: dict[str, Coordinates] = {
        "long": [(0, -90), (w + 9, -30), (w + 16, 50), (w + 10, 125), (w * 0.5, 135)],
        "bob": half_long,
        "fringe": half_long,
        "headscarf": [(0, -80), (w + 14, -20), (w + 16, 60), (w + 26, 135), (w * 0.6, 145)],
    }
    if style == "bun":
        return [to_pixels(closed_curve(mirrored([(0, -top - 38), (26, -top - 20), (16, -top + 12)])))]
    if style in hanging:
        return [outline(identity, VOLUME[style]), to_pixels(closed_curve(mirrored(hanging[style])))]
    return []


def _forehead(identity: Identity) -> Coordinates:
    """The hair's edge over the forehead from left to right."""
    style, w, line = identity.hair_style, identity.half_width, -identity.hairline
    edges: dict[str, Coordinates] = {
        "side": [(-0.80 * w, line + 18), (-0.45 * w, line - 8), (0.35 * w, line + 10), (0.86 * w, line + 32)],
        "fringe": [(-0.84 * w, -47), (-0.4 * w, -51), (0.4 * w, -51), (0.84 * w, -47)],
        "long": [(-0.86 * w, line + 34), (-0.35 * w, line), (0, line - 16), (0.35 * w, line),
                 (0.86 * w, line + 34)],
        "receding": [(-0.95 * w, line + 30), (-0.66 * w, line - 8), (0, line - 18), (0.66 * w, line - 8),
                     (0.95 * w, line + 30)],
        "beanie": [(-0.99 * w, -54), (0, -60), (0.99 * w, -54)],
        "headscarf": [(-0.8 * w, -34), (-0.5 * w, line + 6), (0, line), (0.5 * w, line + 6), (0.8 * w, -34)],
    }  # fmt: skip
    plain = [(-0.9 * w, line + 22), (-0.5 * w, line + 2), (0, line), (0.5 * w, line + 2), (0.9 * w, line + 22)]
    edge = edges.get(style, plain)
    if style == "side" and identity.light[0] < 0:
        return [(-x, y) for x, y in reversed(edge)]
    return edge


def _strands(identity: Identity, rng: np.random.Generator) -> ImageArray:
    """Colour of the hair or cloth with its grain and shine."""
    cloth = identity.hair_style in HEADWEAR
    grain = streaks(rng, SHAPE, *STRANDS.get(identity.hair_style, (0.9, 9.0)))
    grain *= (0.08 if cloth else 0.16) / grain.std()
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    crown = np.exp(-0.5 * ((y - 95 - 0.004 * (x - CENTRE[0]) ** 2) / 12) ** 2) * (0.1 if cloth else 0.35)
    sheen = 1 + identity.light[0] * (x - CENTRE[0]) / 200
    return np.array(identity.hair) * (sheen * (1 + grain + crown))[..., None] + 0.04 * crown[..., None]


def _curls(identity: Identity, rng: np.random.Generator) -> ImageArray:
    mask = np.zeros(SHAPE, np.uint8)
    for angle in np.linspace(-0.25, np.pi + 0.25, 28):
        radius = rng.uniform(13, 20)
        x = CENTRE[0] + (identity.half_width + 14) * np.cos(angle)
        y = CENTRE[1] - (identity.above + 12) * np.sin(angle)
        cv2.circle(mask, (round(float(x)), round(float(y))), round(float(radius)), 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.0)
