"""The person's camera: colour cast, softness and noise, the same in all of their recordings."""

import cv2
import numpy as np

from clef.demo.head_shape import SIDE
from clef.demo.identity import Identity
from clef.demo.layers import ImageArray

GRAIN_PLAY = 48
"""Pixels by less than which the noise pattern is shifted at random from frame to frame."""


class Camera:
    """Turns drawings into frames."""

    def __init__(self, identity: Identity, size: int) -> None:
        rng = np.random.default_rng(identity.texture_seed + 4)
        self.size = size
        self.blur = identity.blur
        grain = rng.normal(128, identity.noise, (SIDE + GRAIN_PLAY, SIDE + GRAIN_PLAY, 3))
        self.grain = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        levels = np.arange(256)[:, None] * np.array(identity.tint)
        self.tint = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[:, None]

    def take(self, drawing: ImageArray, grain_at: tuple[int, int]) -> ImageArray:
        """A frame, (size, size, 3) RGB, of a drawing, (320, 320, 3), with the noise shifted by `grain_at`."""
        frame = cv2.LUT(drawing, self.tint)
        if self.blur > 0.2:
            frame = cv2.GaussianBlur(frame, (3, 3), self.blur)
        top, left = grain_at
        frame = cv2.addWeighted(frame, 1, self.grain[top : top + SIDE, left : left + SIDE], 1, -128)
        if self.size == SIDE:
            return frame
        way = cv2.INTER_AREA if self.size < SIDE else cv2.INTER_LINEAR
        return cv2.resize(frame, (self.size, self.size), interpolation=way)
