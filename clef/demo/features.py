"""Brows, eyes and mouth, drawn for every frame in the shape that the action units give them."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from clef.demo.head_shape import CENTRE, to_pixels
from clef.demo.identity import Colour, Identity
from clef.demo.shapes import ImageArray, Points, curve, disc, fill, stroke

Intensities = Mapping[int, float]
"""Intensity, 0 to 1, of the action units that are present."""

BROW_RISE = np.array([[-9.0, -5.5, -1.5, 0.0, 0.0], [0.0, -2.0, -7.5, -8.5, -6.0], [7.0, 5.0, 3.0, 1.5, 1.0]])
"""Downward pixels at full intensity of action units 1, 2 and 4, from a brow's inner to its outer end."""

ACROSS = np.array([-1.0, -0.62, -0.28, 0.0, 0.28, 0.62, 1.0])  # knots of the mouth's contours, from corner to corner


def draw_brows(image: ImageArray, identity: Identity, units: Intensities) -> None:
    """Draw both brows in place."""
    top, left = int(CENTRE[1] + identity.eye_y + identity.brow_y - 24), 160 - 70
    region = image[top : top + 52, left : left + 140]
    mask: ImageArray = np.zeros(region.shape[:2], np.uint8)
    for side in (-1, 1):
        middle, half = brow_course(identity, units, side)
        half = np.column_stack([np.zeros_like(half), half])
        contour = np.vstack([curve(middle - half, 14), curve(middle + half, 14)[::-1]])
        fill(mask, contour - (left, top), 215)
    paint = np.empty_like(region)
    paint[:] = np.rint(np.array(identity.brows) * 255)
    _blend(region, cv2.GaussianBlur(mask, (3, 3), 0.8), paint)


def brow_course(identity: Identity, units: Intensities, side: int) -> tuple[Points, Points]:
    """Five points along a brow from its inner end, and half its height there.

    Action unit 1 raises the inner end, 2 the outer end, and 4 lowers the brow and draws it inwards.
    """
    i = identity
    inner, outer, lower = units.get(1, 0.0), units.get(2, 0.0), units.get(4, 0.0)
    x = i.eye_x + np.array([-18, -8, 4, 14, 21]) - lower * np.array([4.5, 3.5, 1.5, 0, 0])
    arch = i.brow_arch * np.array([0, -0.4, -1, -0.55, 0]) + np.array([1.5, 0, 0, 0, 2.5])
    y = i.eye_y + i.brow_y + arch + np.array([inner, outer, lower]) @ BROW_RISE
    return to_pixels(np.column_stack([side * x, y])), 0.5 * i.brow_thick * np.array([0.75, 1.05, 1.0, 0.75, 0.25])


def draw_eyes(
    image: ImageArray, identity: Identity, units: Intensities, blink: float, gaze: tuple[float, float]
) -> None:
    """Draw both eyes in place; blink and gaze are as in `Pose`."""
    i = identity
    for side in (-1, 1):
        over, under = lids(identity, units, blink, side)
        crease = over - (0, 3.0 + 2.0 * blink - 1.2 * units.get(7, 0.0))
        stroke(image, crease[2:-2], _shade(i.skin, 165), 1)
        if blink < 0.85:
            centre = to_pixels([side * i.eye_x, i.eye_y])
            _draw_eyeball(image, identity, centre, np.vstack([over, under[::-1]]), gaze)
        stroke(image, under, _shade(i.skin, 150), 1)
        stroke(image, over, _shade(i.brows, 200), 2)


def lids(identity: Identity, units: Intensities, blink: float, side: int) -> tuple[Points, Points]:
    """Edges of the upper and lower lid: 7 narrows the eye, 6 pushes the lower lid up, 5 opens the eye wide."""
    i = identity
    wide, cheek, tight = units.get(5, 0.0), units.get(6, 0.0), units.get(7, 0.0)
    upper = 0.60 * i.eye_open * (1 + 0.50 * wide - 0.48 * tight - 0.08 * cheek)
    lower = 0.40 * i.eye_open * (1 + 0.20 * wide - 0.85 * tight - 0.65 * cheek)
    upper = (1 - blink) * upper - blink * (lower - 0.4)
    across = np.array([-1.0, -0.6, 0.0, 0.6, 1.0])
    bow = np.array([0.0, 0.74, 1.0, 0.74, 0.0])
    x = side * i.eye_x + i.eye_length * across
    y = i.eye_y - i.eye_tilt * side * across
    over, under = (np.column_stack([x, y + height * bow]) for height in (-upper, lower))
    return to_pixels(curve(over, 15)), to_pixels(curve(under, 15))


def _draw_eyeball(
    image: ImageArray, identity: Identity, centre: Points, contour: Points, gaze: tuple[float, float]
) -> None:
    left, top = int(centre[0]) - 22, int(centre[1]) - 16
    region = image[top : top + 32, left : left + 44]
    ball: ImageArray = np.full(region.shape, (222, 216, 212), np.uint8)
    ball[:14] = (188, 180, 176)
    ball = cv2.GaussianBlur(ball, (1, 7), 2.5)
    pupil = centre - (left, top) + (4.0 * gaze[0], 2.0 * gaze[1] - 0.5)
    iris = _shade(identity.iris, 255)
    disc(ball, pupil, 6.4, tuple(round(0.5 * c) for c in iris))
    disc(ball, pupil, 5.4, iris)
    disc(ball, pupil, 2.7, (14, 12, 12))
    disc(ball, pupil + np.array([2.0 * np.sign(identity.light[0]), -2.2]), 1.3, (245, 245, 245))
    mask = np.zeros(region.shape[:2], np.uint8)
    fill(mask, contour - (left, top), 255)
    _blend(region, mask, ball)


def draw_mouth(image: ImageArray, identity: Identity, units: Intensities, jaw: float) -> None:
    """Draw the mouth in place, opened by `jaw` (0 to 1) as far as the action units allow."""
    i = identity
    rim, inner_upper, inner_lower, base = mouth_contours(identity, units, jaw)
    top, left = int(CENTRE[1] + i.mouth_y) - 30, 160 - 54
    region = image[top : top + 80, left : left + 108]
    origin = (left, top)
    dark = _shade((0.30 * i.lips[0], 0.16 * i.lips[1], 0.16 * i.lips[2]), 255)
    upper_lip, lower_lip = _shade(i.lips, 230), _shade(i.lips, 275)
    gap = float((inner_lower - inner_upper)[:, 1].max())
    if gap > 0.8:
        fill(region, np.vstack([inner_upper, inner_lower[::-1]]) - origin, dark)
        teeth = np.minimum(inner_upper + np.array([0, min(0.55 * gap, 5.5)]), np.maximum(inner_lower, inner_upper))
        fill(region, np.vstack([inner_upper, teeth[::-1]])[2:-2] - origin, (226, 220, 208))
    half = len(rim) // 2
    fill(region, np.vstack([rim[:half], inner_upper[::-1]]) - origin, upper_lip)
    fill(region, np.vstack([inner_lower, rim[half:]]) - origin, lower_lip)
    shine = 0.5 * inner_lower + 0.5 * rim[half:][::-1]
    stroke(region, shine[7:-7] - origin, tuple(min(round(1.12 * c + 14), 255) for c in lower_lip), 2)
    if gap <= 2.0:
        stroke(region, 0.5 * (inner_upper + inner_lower) - origin, dark, 1 + round(units.get(24, 0.0) + 0.3))
    for corner in (base[0], base[-1]):
        disc(region, corner - origin, 1.6, _shade(i.skin, 110))
    region[:] = cv2.GaussianBlur(region, (3, 3), 0.7)


def mouth_contours(identity: Identity, units: Intensities, jaw: float) -> tuple[Points, Points, Points, Points]:
    """Contours of the lips: outer rim, inner edges of the upper and the lower lip, and line of the closed mouth.

    The rim runs along the upper edge from left to right, then along the lower edge from right to left.
    """
    i = identity
    raise_, smile, dimple, down = (units.get(number, 0.0) for number in (10, 12, 14, 15))
    chin, stretch, tight, press = (units.get(number, 0.0) for number in (17, 20, 23, 24))
    drop = units.get(26, 0.0)
    width = i.mouth_width + 7.0 * smile + 3.0 * dimple + 6.0 * stretch - 9.0 * tight - 1.0 * down
    corner = -9.0 * smile + 7.5 * down - 1.5 * dimple + 2.0 * stretch
    thin = (1 - 0.55 * tight) * (1 - 0.72 * press) * (1 - 0.18 * smile) * (1 - 0.2 * stretch)
    upper = i.upper_lip * thin * (1 - 0.25 * chin)
    lower = i.lower_lip * thin * (1 + 0.15 * chin)
    opening = (15 * jaw + 22 * drop) * (1 - 0.95 * press) * (1 - 0.7 * chin) * (1 - 0.6 * tight)
    bump = np.array([0, 0.75, 1.0, 0.85, 1.0, 0.75, 0])
    arch = 1 - ACROSS**2
    closed = i.mouth_y + corner * np.abs(ACROSS) ** 1.6 - (4.5 * chin) * arch - 1.0 * press
    top = closed - 5.5 * raise_ * bump - 0.10 * opening * arch
    bottom = closed + 0.90 * opening * arch**0.7 - 2.8 * raise_ * bump

    def contour(y: NDArray[np.float64]) -> Points:
        return to_pixels(curve(np.column_stack([width * ACROSS, y]), 25))

    over = contour(top - upper * np.array([0.0, 0.62, 1.08, 0.84, 1.08, 0.62, 0.0]))
    under = contour(bottom + lower * np.array([0.0, 0.72, 1.0, 1.02, 1.0, 0.72, 0.0]))
    return np.vstack([over, under[::-1]]), contour(top), contour(bottom), contour(closed)


def draw_glasses(image: ImageArray, identity: Identity) -> None:
    """Draw the person's glasses, if any, in place."""
    i = identity
    if i.glasses == "none":
        return
    colour = tuple(round(120 * c + 15) for c in i.skin)
    reach = i.eye_x - 4.0
    for side in (-1, 1):
        centre = to_pixels([side * (i.eye_x + 1), i.eye_y + 3])
        if i.glasses == "round":
            disc(image, centre, reach - 3, colour, 1)
        else:
            w, h = reach - 1, 16.0
            corners = np.array([(-w, -h), (w, -h), (w, h * 0.8), (w * 0.8, h), (-w * 0.8, h), (-w, h * 0.8), (-w, -h)])
            stroke(image, corners + centre, colour, 1)
        rim = [side * (i.eye_x + reach - 2), i.eye_y]
        stroke(image, to_pixels([rim, [side * (i.half_width - 1), i.eye_y - 3]]), colour, 2)
    stroke(image, to_pixels(curve([(-6, i.eye_y + 1), (0, i.eye_y - 2), (6, i.eye_y + 1)])), colour, 2)


def _shade(colour: Colour, level: float) -> tuple[int, ...]:
    """Scale a colour to pixel values, with `level` for 1."""
    return tuple(min(round(level * c), 255) for c in colour)


def _blend(region: ImageArray, mask: ImageArray, paint: ImageArray) -> None:
    share = mask.astype(np.float32) * (1 / 255)
    region[:] = cv2.blendLinear(paint, region, share, 1 - share)
