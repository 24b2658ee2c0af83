"""The background: the wall of the person's room, their neck and shoulders."""

import cv2
import numpy as np

from clef.demo.head_shape import SHAPE, SIDE, spot, to_pixels
from clef.demo.identity import Identity
from clef.demo.shapes import ImageArray, Layer, Painting, curve, polygon_mask, streaks, stroke_mask, to_bytes


def paint_room(identity: Identity) -> ImageArray:
    """Paint the wall, (320, 320, 3) RGB."""
    rng = np.random.default_rng(identity.texture_seed + 1)
    one, other = (np.array(colour, np.float32) for colour in identity.room_colours)
    pattern = np.clip(_pattern(identity.room, rng), 0, 1)
    wall = one + (other - one) * cv2.GaussianBlur(pattern, (0, 0), 2.0)[..., None]
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE - 0.5
    wall *= (1 + 0.5 * (identity.light[0] * x + identity.light[1] * y))[..., None]
    return to_bytes(wall)


def paint_body(identity: Identity) -> Layer:
    """Paint neck and shoulders."""
    rng = np.random.default_rng(identity.texture_seed + 2)
    w, low = identity.half_width, identity.below
    nw = w * (0.50 if identity.hair_style != "headscarf" else 0.55)
    shadow = 1 - 0.45 * spot(0, low, w * 0.8, 16)
    neck = [(-nw, 30), (nw, 30), (nw, low + 20), (nw + 14, low + 36), (0, low + 62), (-nw - 14, low + 36)]
    neck_mask = polygon_mask(SHAPE, to_pixels([*neck, (-nw, low + 20)]), 1.0)
    right = [(nw + 6, low + 22), (w + 30, low + 42), (w + 66, low + 62), (w + 90, low + 130)]
    left = [(-x, y) for x, y in reversed(right)]
    collar = curve([right[0], (0, low + 46 + 10 * rng.random()), left[-1]], 24)[::-1]
    shirt = polygon_mask(SHAPE, to_pixels(np.vstack([curve(right, 24), curve(left, 24), collar])), 1.0)
    cloth = np.array(identity.clothes, np.float32) * (1 + 1.5 * streaks(rng, SHAPE, 5, 16))[..., None]
    cloth *= (1 - 0.35 * stroke_mask(SHAPE, to_pixels(collar), 3, 2.0))[..., None]
    body = Painting(SIDE, SIDE)
    body.paint(neck_mask, np.array(identity.skin, np.float32) * (0.85 * shadow)[..., None])
    body.paint(shirt, cloth)
    return body.finish()


def _pattern(room: str, rng: np.random.Generator) -> ImageArray:
    """Draw the pattern of a wall: the share of its second colour."""
    pattern = np.zeros(SHAPE, np.float32)
    if room == "plain":
        return cv2.GaussianBlur(rng.random(SHAPE, np.float32), (0, 0), 30) * 8 - 3.5
    if room == "blobs":
        for _ in range(14):
            centre = int(rng.uniform(0, SIDE)), int(rng.uniform(0, SIDE))
            cv2.circle(pattern, centre, int(rng.uniform(10, 34)), float(rng.uniform(0.3, 1)), -1, cv2.LINE_AA)
        return cv2.GaussianBlur(pattern, (0, 0), 5)
    if room == "stripes":
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(14, 40)
        return (0.5 + 0.5 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch)).astype(np.float32)
    if room == "shelves":
        for bottom in range(38, SIDE + 58, 64):
            left = 0
            while left < SIDE:
                width, height = int(rng.integers(7, 22)), int(rng.integers(30, 56))
                pattern[max(bottom - height, 0) : bottom, left : left + width] = rng.uniform(0.2, 1)
                left += width + int(rng.integers(0, 3))
        return pattern
    if room == "window":
        left, width = int(rng.integers(-60, 200)), int(rng.integers(100, 180))
        pattern[:] = 0.05
        pattern[10:210, max(left, 0) : left + width] = 1
        pattern[100:108] = 0.05
        middle = max(left + width // 2, 0)
        pattern[:, middle : middle + 7] = 0.05
        return pattern
    # tiles
    size = int(rng.integers(24, 60))
    rows = np.arange(SIDE) // size
    return rng.random((SIDE // size + 1, SIDE // size + 1), np.float32)[rows][:, rows]
