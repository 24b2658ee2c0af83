"""The folds and bulges of skin that action units make, as light and shade, painted once a person.

What each action unit does follows the Facial Action Coding System (Ekman, Friesen and Hager, 2002).
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from clef.demo.identity import Identity
from clef.demo.portrait import SIDE, place
from clef.demo.shapes import blob, curve, stroke_mask

FloatImage = NDArray[np.float32]
SHAPE = (SIDE, SIDE)


def paint_wrinkles(identity: Identity) -> dict[int, FloatImage]:
    """Relative change of the skin's brightness at full intensity, (320, 320) for each action unit."""
    painters = {
        1: _brow_raise_inner,
        2: _brow_raise_outer,
        4: _frown,
        6: _crows_feet,
        7: _tight_lids,
        9: _nose_wrinkle,
        10: _upper_lip_raise,
        12: _smile_fold,
        14: _dimple,
        15: _mouth_corner_down,
        17: _chin_raise,
        20: _lip_stretch,
        23: _tight_lips,
        24: _pressed_lips,
    }
    folds = {}
    for number, paint in painters.items():
        shade = np.zeros(SHAPE, np.float32)
        paint(identity, shade)
        folds[number] = np.clip(shade * identity.lines, -0.75, 0.45)
    return folds


def _line(shade: FloatImage, points: ArrayLike, amount: float, thickness: int = 2, blur: float = 1.1) -> None:
    """A crease: dark, with the bulge beside it catching the light."""
    crease = stroke_mask(SHAPE, place(curve(points)), thickness, blur)
    shade -= amount * crease
    shade += 0.30 * amount * np.roll(crease, 3, axis=0)


def _spot(shade: FloatImage, x: float, y: float, width: float, height: float, amount: float) -> None:
    shade += amount * blob(SHAPE, (160 + x, 158 + y), width, height)


def _brow_raise_inner(i: Identity, shade: FloatImage) -> None:
    for height, half, amount in ((-16, 24, 0.34), (-25, 19, 0.28)):
        y = i.eye_y + i.brow_y + height
        _line(shade, [(-half, y + 2), (-half * 0.4, y - 1), (half * 0.4, y - 1), (half, y + 2)], amount)
    for side in (-1, 1):
        _spot(shade, side * 14, i.eye_y - 10, 7, 5, 0.10)


def _brow_raise_outer(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        for height, amount in ((-15, 0.34), (-23, 0.26)):
            y = i.eye_y + i.brow_y + height
            _line(shade, [(side * (i.eye_x - 4), y), (side * (i.eye_x + 8), y - 3), (side * (i.eye_x + 20), y + 3)], amount)
        _spot(shade, side * (i.eye_x + 9), i.eye_y - 12, 9, 5, 0.13)


def _frown(i: Identity, shade: FloatImage) -> None:
    y = i.eye_y + i.brow_y
    for side in (-1, 1):
        _line(shade, [(side * 5.5, y - 15), (side * 4.5, y - 4), (side * 6.5, y + 7)], 0.55, 2, 1.2)
    _spot(shade, 0, y + 2, 13, 9, -0.13)
    for side in (-1, 1):
        _spot(shade, side * 18, i.eye_y - 9, 11, 4, -0.16)


def _crows_feet(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        x, y = i.eye_x + i.eye_length + 3, i.eye_y
        for slope in (-9, 0, 8):
            _line(shade, [(side * x, y + 0.25 * slope), (side * (x + 8), y + 0.7 * slope), (side * (x + 15), y + 1.3 * slope)], 0.50)
        _line(shade, [(side * (i.eye_x - 11), y + 13), (side * i.eye_x, y + 16), (side * (i.eye_x + 15), y + 11)], 0.42, 2, 1.4)
        _spot(shade, side * (i.eye_x + 5), y + 25, 12, 6, 0.24)
        _spot(shade, side * (i.eye_x + 5), y + 38, 14, 5, -0.08)


def _tight_lids(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        _line(shade, [(side * (i.eye_x - 12), i.eye_y + 6), (side * i.eye_x, i.eye_y + 9), (side * (i.eye_x + 12), i.eye_y + 5)], 0.38)
        _spot(shade, side * i.eye_x, i.eye_y - 9, 13, 3.5, -0.15)


def _nose_wrinkle(i: Identity, shade: FloatImage) -> None:
    for height in (2, 9):
        _line(shade, [(-8, i.eye_y + height + 2), (0, i.eye_y + height), (8, i.eye_y + height + 2)], 0.42)
    for side in (-1, 1):
        _line(shade, [(side * 8, i.eye_y + 8), (side * 13, i.eye_y + 16), (side * 11, i.eye_y + 22)], 0.42)


def _upper_lip_raise(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        x, y = i.nose_width + 3, i.nose_y
        _line(shade, [(side * (x - 3), y - 12), (side * (x + 4), y - 2), (side * (x + 9), y + 9), (side * (x + 10), y + 17)], 0.60, 3, 1.5)
        _spot(shade, side * (x + 14), y - 4, 8, 9, 0.17)


def _smile_fold(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        corner = i.mouth_width + 14
        _line(
            shade,
            [(side * (i.nose_width + 4), i.nose_y), (side * (corner - 7), i.nose_y + 9), (side * corner, i.mouth_y - 8), (side * (corner + 1), i.mouth_y + 5)],
            0.50, 3, 1.6,
        )  # fmt: skip
        _spot(shade, side * (corner + 7), i.nose_y + 4, 10, 10, 0.20)


def _dimple(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        x, y = i.mouth_width + 8, i.mouth_y
        _line(shade, [(side * x, y - 9), (side * (x + 3), y), (side * x, y + 8)], 0.75, 3, 1.2)
        _spot(shade, side * (x + 9), y, 5, 9, 0.24)
        _spot(shade, side * (x - 6), y + 8, 4, 4, -0.15)


def _mouth_corner_down(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        x, y = i.mouth_width, i.mouth_y
        _line(shade, [(side * (x + 1), y + 6), (side * (x + 5), y + 13), (side * (x + 4), y + 22)], 0.55, 3, 1.4)
        _spot(shade, side * (x + 11), y + 14, 5, 8, 0.14)


def _chin_raise(i: Identity, shade: FloatImage) -> None:
    y = i.mouth_y + i.lower_lip
    _line(shade, [(-17, y + 9), (-8, y + 5), (0, y + 4), (8, y + 5), (17, y + 9)], 0.55, 3, 1.4)
    pebbles = np.random.default_rng(i.texture_seed + 3).normal(0, 1, SHAPE).astype(np.float32)
    pebbles = cv2.GaussianBlur(pebbles, (0, 0), 2.2)
    shade += 0.32 * pebbles / pebbles.std() * blob(SHAPE, (160, 158 + y + 17), 14, 7)
    _spot(shade, 0, y + 16, 13, 6, 0.14)


def _lip_stretch(i: Identity, shade: FloatImage) -> None:
    for side in (-1, 1):
        x = i.mouth_width + 11
        _line(shade, [(side * (x - 1), i.mouth_y - 9), (side * (x + 2), i.mouth_y), (side * (x - 1), i.mouth_y + 11)], 0.40)


def _tight_lips(i: Identity, shade: FloatImage) -> None:
    for x in (-15, -8, 8, 15):
        top, bottom = i.mouth_y - i.upper_lip, i.mouth_y + i.lower_lip
        _line(shade, [(x * 1.1, top - 9), (x, top - 1)], 0.42, 2, 1.0)
        _line(shade, [(x, bottom + 0), (x * 1.1, bottom + 8)], 0.42, 2, 1.0)


def _pressed_lips(i: Identity, shade: FloatImage) -> None:
    _spot(shade, 0, i.mouth_y - i.upper_lip - 2, i.mouth_width * 0.6, 3.5, 0.24)
    _spot(shade, 0, i.mouth_y + i.lower_lip + 1, i.mouth_width * 0.6, 3.5, 0.26)
    for side in (-1, 1):
        _spot(shade, side * (i.mouth_width + 4), i.mouth_y, 4, 5, -0.26)
