"""A hand that moves before the face: frames in which the lower half or the whole face cannot be coded."""

import cv2
import numpy as np

from clef.demo.head_shape import CENTRE, SIDE
from clef.demo.identity import Identity
from clef.demo.shapes import ImageArray, Painting, closed_curve, curve, polygon_mask, stroke_mask

HEIGHT = 2 * SIDE
SHAPE = (HEIGHT, SIDE)
PALM = np.array([160.0, 200.0])
OUTLINE = ((-60, -30), (0, -48), (58, -34), (62, 30), (34, 92), (-36, 92), (-64, 34))
FINGERS = (  # root and tip relative to the palm's centre, and thickness
    ((-44, -22), (-60, -118), 32),
    ((-14, -34), (-20, -142), 34),
    ((17, -34), (20, -136), 34),
    ((45, -24), (58, -108), 30),
)
THUMB = ((-48, 50), (-84, 16), (-98, -18))
LENGTH = 142  # from the palm's centre to the tip of the longest finger


class Hand:
    """One person's hand."""

    def __init__(self, identity: Identity) -> None:
        hand = polygon_mask(SHAPE, PALM + closed_curve(OUTLINE), 1.2)
        gaps = np.zeros(SHAPE, np.float32)
        for root, tip, thick in FINGERS:
            line = curve([root, tip], 8) + PALM
            hand = np.maximum(hand, stroke_mask(SHAPE, line, thick, 1.2))
            for side in (-1, 1):
                gaps = np.maximum(gaps, stroke_mask(SHAPE, line + np.array([side * thick / 2, 0]), 2, 2.0))
        hand = np.maximum(hand, stroke_mask(SHAPE, curve(THUMB, 8) + PALM, 32, 1.2))
        hand = np.maximum(hand, _arm(40, 66, top=70))
        light = 1 + 0.10 * (cv2.GaussianBlur(hand, (0, 0), 16) - 0.7) - 0.35 * gaps * hand
        painting = Painting(HEIGHT, SIDE)
        painting.paint(hand, 0.97 * np.array(identity.skin) * light[..., None])
        painting.paint(_arm(52, 84, top=124), identity.clothes)
        self.layer = painting.finish()
        self.scale = identity.half_width / 66 * identity.frame_scale
        self.mouth = CENTRE[1] + identity.frame_y + (identity.mouth_y + 6) * identity.frame_scale
        self.across = CENTRE[0] + identity.frame_x

    def lay_over(self, frame: ImageArray, height: float) -> ImageArray:
        """Lay the hand over a drawing, (320, 320, 3) RGB, at a height as in `Performance.hand`."""
        if height <= 0:
            return frame
        out_of_sight = SIDE + self.scale * LENGTH + 8
        at_mouth, at_face = self.mouth + self.scale * (LENGTH - 38), self.mouth - 8
        y = float(np.interp(height, [0, 0.5, 1], [out_of_sight, at_mouth, at_face]))
        s = self.scale
        matrix = np.array([[s, 0, self.across - s * PALM[0]], [0, s, y - s * PALM[1]]], np.float32)
        return self.layer.warp(matrix, (SIDE, SIDE)).over(frame)


def _arm(above: float, below: float, top: float) -> ImageArray:
    corners = [(-above, top), (above, top), (below, HEIGHT), (-below, HEIGHT)]
    return polygon_mask(SHAPE, PALM + np.array(corners), 1.5)
