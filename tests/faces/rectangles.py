"""Pictures of white rectangles, and a detector that takes them for faces, so each image decides what it sees."""

import cv2
import numpy as np

from clef.faces.detectors import Detector, Face

SIZE = 20


class RectangleDetector(Detector):
    """Finds white rectangles that do not touch, and records the batch sizes of its calls."""

    fingerprint = {"name": "rectangles", "library": None, "weights": None}  # noqa: RUF012

    def __init__(self):
        self.calls = []

    def detect(self, images):
        self.calls.append(len(images))
        return [self._detect(image) for image in images]

    def _detect(self, image):
        count, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 0] > 128).astype(np.uint8))
        corners = np.array([(0, 0), (1, 0), (0.5, 0.5), (0, 1), (1, 1)])
        return [
            Face((float(x), float(y), float(width), float(height)), 0.9, corners * (width, height) + (x, y))
            for x, y, width, height, _ in stats[1:count]
        ]


class UprightDetector(RectangleDetector):
    """Finds rectangles only if their upper half is brighter than the lower one."""

    def _detect(self, image):
        return [face for face in super()._detect(image) if self._is_upright(image, face)]

    def _is_upright(self, image, face):
        left, top, width, height = map(int, face.box)
        upper, lower = np.array_split(image[top : top + height, left : left + width, 0].astype(int), 2)
        return upper.mean() > lower.mean() + 20


def draw(*rectangles):
    """An image with squares of the given left edges and sides, and optionally top edges."""
    image = np.zeros((60, 200, 3), np.uint8)
    for x, side, *y in rectangles:
        top = y[0] if y else 20
        image[top : top + side, x : x + side] = 255
    return image
