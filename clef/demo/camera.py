"""A person's camera: colour cast, blur and noise, the same in all their recordings."""

import cv2
import numpy as np

from clef.demo.head_shape import SIDE
from clef.demo.identity import Identity
from clef.demo.shapes import ImageArray

GRAIN_SHIFT = 48  # the noise pattern shifts by fewer pixels than this from frame to frame


class Camera:
    """Turns drawings into frames."""

    def __init__(self, identity: Identity, size: int) -> None:
        rng = np.random.default_rng(identity.texture_seed + 4)
        self.size = size
        self.blur = identity.blur
        grain = rng.normal(128, identity.noise, (SIDE + GRAIN_SHIFT, SIDE + GRAIN_SHIFT, 3))
        self.grain = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        levels = np.arange(256)[:, None] * np.array(identity.tint)
        self.tint = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[:, None]

    def take(self, drawing: ImageArray, grain_at: tuple[int, int]) -> ImageArray:
        """Turn a drawing, (320, 320, 3), into a frame, (size, size, 3) RGB, with noise shifted by `grain_at`."""
        frame = cv2.LUT(drawing, self.tint)
        if self.blur > 0.2:
            frame = cv2.GaussianBlur(frame, (3, 3), self.blur)
        top, left = grain_at
        frame = cv2.addWeighted(frame, 1, self.grain[top : top + SIDE, left : left + SIDE], 1, -128)
        if self.size == SIDE:
            return frame
        method = cv2.INTER_AREA if self.size < SIDE else cv2.INTER_LINEAR
        return cv2.resize(frame, (self.size, self.size), interpolation=method)
