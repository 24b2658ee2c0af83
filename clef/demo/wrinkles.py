"""Folds and bulges of the skin for each action unit, as light and shade, painted once per person.

What each action unit does follows the Facial Action Coding System (Ekman, Friesen and Hager, 2002).
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from clef.demo.head_shape import SHAPE, spot, to_pixels
from clef.demo.identity import Identity
from clef.demo.shapes import ImageArray, curve, streaks, stroke

WRINKLED = (1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24)


def paint_wrinkles(identity: Identity) -> dict[int, ImageArray]:
    """Paint the relative change of the skin's brightness at full intensity, (320, 320) for each action unit."""
    return {number: np.clip(_paint(number, identity) * identity.lines, -0.75, 0.45) for number in WRINKLED}


class _Relief:
    """Light and shade. Plural methods draw on both sides of the face, from the coordinates of the right one."""

    def __init__(self) -> None:
        self.shade: ImageArray = np.zeros(SHAPE, np.float32)

    def crease(self, points: ArrayLike, amount: float, thickness: int = 2, blur: float = 1.1) -> None:
        """Draw a fold that fades towards its ends: dark, with light on the bulge below it."""
        mask: ImageArray = np.zeros(SHAPE, np.uint8)
        course = to_pixels(curve(points))
        for start in range(len(course) - 1):
            fading = np.sin(np.pi * (start + 0.5) / (len(course) - 1)) ** 0.7
            stroke(mask, course[start : start + 2], 255 * fading, thickness)
        mask = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur)
        self.shade += amount * (0.30 * np.roll(mask, 3, axis=0) - mask)

    def creases(self, right: ArrayLike, amount: float, thickness: int = 2, blur: float = 1.1) -> None:
        for side in (-1, 1):
            self.crease(np.asarray(right) * [side, 1], amount, thickness, blur)

    def bulge(self, x: float, y: float, width: float, height: float, amount: float) -> None:
        """Draw a spot that rises into the light, or sinks if the amount is negative."""
        self.shade += amount * spot(x, y, width, height)

    def bulges(self, right_x: float, y: float, width: float, height: float, amount: float) -> None:
        for side in (-1, 1):
            self.bulge(side * right_x, y, width, height, amount)


def _paint(number: int, i: Identity) -> ImageArray:
    relief = _Relief()
    brow_y = i.eye_y + i.brow_y
    if number == 1:  # inner brow raiser
        for height, half, amount in ((-16, 24, 0.40), (-25, 19, 0.34)):
            y = brow_y + height
            relief.crease([(-half, y + 2), (-half * 0.4, y - 1), (half * 0.4, y - 1), (half, y + 2)], amount)
        relief.bulges(14, i.eye_y - 10, 7, 5, 0.10)
    elif number == 2:  # outer brow raiser
        for height, amount in ((-15, 0.40), (-23, 0.32)):
            x, y = i.eye_x, brow_y + height
            relief.creases([(x - 5, y), (x + 8, y - 3), (x + 21, y + 3)], amount)
        relief.bulges(i.eye_x + 9, i.eye_y - 12, 9, 5, 0.13)
    elif number == 4:  # brow lowerer
        relief.creases([(5.5, brow_y - 16), (4.5, brow_y - 4), (6.5, brow_y + 8)], 0.60, blur=1.2)
        relief.bulge(0, brow_y + 2, 13, 9, -0.13)
        relief.bulges(18, i.eye_y - 9, 11, 4, -0.16)
    elif number == 6:  # cheek raiser
        x, y = i.eye_x + i.eye_length + 2, i.eye_y
        for slope in (-9, 0, 8):
            relief.creases([(x, y + 0.2 * slope), (x + 8, y + 0.7 * slope), (x + 16, y + 1.3 * slope)], 0.52)
        relief.creases([(i.eye_x - 12, y + 12), (i.eye_x, y + 16), (i.eye_x + 16, y + 11)], 0.46, blur=1.4)
        relief.bulges(i.eye_x + 5, y + 25, 12, 6, 0.24)
        relief.bulges(i.eye_x + 5, y + 38, 14, 5, -0.08)
    elif number == 7:  # lid tightener
        x, y = i.eye_x, i.eye_y
        relief.creases([(x - 13, y + 6), (x, y + 9), (x + 13, y + 5)], 0.42)
        relief.bulges(x, y - 9, 13, 3.5, -0.15)
    elif number == 9:  # nose wrinkler
        for y in (i.eye_y + 2, i.eye_y + 9):
            relief.crease([(-9, y + 2), (0, y), (9, y + 2)], 0.46)
        relief.creases([(8, i.eye_y + 7), (13, i.eye_y + 16), (11, i.eye_y + 23)], 0.46)
    elif number == 10:  # upper lip raiser
        x, y = i.nose_width + 3, i.nose_y
        relief.creases([(x - 4, y - 14), (x + 4, y - 2), (x + 9, y + 9), (x + 10, y + 19)], 0.66, 3, 1.5)
        relief.bulges(x + 14, y - 4, 8, 9, 0.17)
    elif number == 12:  # lip corner puller
        corner = i.mouth_width + 14
        start, bend = (i.nose_width + 3, i.nose_y - 2), (corner - 7, i.nose_y + 9)
        relief.creases([start, bend, (corner, i.mouth_y - 8), (corner + 1, i.mouth_y + 7)], 0.56, 3, 1.6)
        relief.bulges(corner + 7, i.nose_y + 4, 10, 10, 0.20)
    elif number == 14:  # dimpler
        x, y = i.mouth_width + 8, i.mouth_y
        relief.creases([(x, y - 11), (x + 3, y), (x, y + 10)], 0.80, 3, 1.2)
        relief.bulges(x + 9, y, 5, 9, 0.24)
        relief.bulges(x - 6, y + 8, 4, 4, -0.15)
    elif number == 15:  # lip corner depressor
        x, y = i.mouth_width, i.mouth_y
        relief.creases([(x + 1, y + 4), (x + 5, y + 13), (x + 4, y + 24)], 0.60, 3, 1.4)
        relief.bulges(x + 11, y + 14, 5, 8, 0.14)
    elif number == 17:  # chin raiser
        y = i.mouth_y + i.lower_lip
        relief.crease([(-18, y + 10), (-8, y + 5), (0, y + 4), (8, y + 5), (18, y + 10)], 0.60, 3, 1.4)
        pebbles = streaks(np.random.default_rng(i.texture_seed + 3), SHAPE, 2.2, 2.2)
        relief.shade += 0.30 * pebbles / pebbles.std() * spot(0, y + 17, 14, 7)
        relief.bulge(0, y + 16, 13, 6, 0.14)
    elif number == 20:  # lip stretcher
        x, y = i.mouth_width + 11, i.mouth_y
        relief.creases([(x - 1, y - 11), (x + 2, y), (x - 1, y + 13)], 0.44)
    elif number == 23:  # lip tightener
        above, below = i.mouth_y - i.upper_lip, i.mouth_y + i.lower_lip
        for x in (8.0, 15.0):
            relief.creases([(x * 1.1, above - 11), (x * 1.05, above - 5), (x, above)], 0.46, blur=1.0)
            relief.creases([(x, below - 1), (x * 1.05, below + 4), (x * 1.1, below + 10)], 0.46, blur=1.0)
    elif number == 24:  # lip pressor
        width = i.mouth_width * 0.6
        relief.bulge(0, i.mouth_y - i.upper_lip - 2, width, 3.5, 0.24)
        relief.bulge(0, i.mouth_y + i.lower_lip + 1, width, 3.5, 0.26)
        relief.bulges(i.mouth_width + 4, i.mouth_y, 4, 5, -0.26)
    return relief.shade
