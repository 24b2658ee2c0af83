"""What every face detector answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in one picture, in source pixels with (0, 0) at the top left corner of the picture."""

    box: tuple[float, float, float, float]
    """Left, top, width, height."""
    score: float
    """From 0 to 1; each detector's own scale."""
    landmarks: np.ndarray | None = None
    """`(5, 2)`: right eye, left eye, nose, right and left corner of the mouth, sides as the person's own."""

    @property
    def centre(self) -> np.ndarray:
        """Centre of the box, `(2,)`."""
        left, top, width, height = self.box
        return np.array([left + width / 2, top + height / 2])

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.box[2] * self.box[3]


class Detector(ABC):
    """Finds faces in pictures. Each picture is judged by itself; a batch only saves time."""

    @abstractmethod
    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of each picture.

        Args:
            images: RGB, uint8, each `(height, width, 3)`.

        Returns:
            For each picture its faces of sufficient score, best first.
        """

    @property
    @abstractmethod
    def fingerprint(self) -> dict[str, str | None]:
        """Name, library with version, and SHA-256 of the weights: what tells its boxes from another's."""


def shrunk(image: np.ndarray, longest: int) -> tuple[np.ndarray, float, float]:
    """Shrink a picture so that its longest side is at most `longest`; smaller ones stay.

    Returns:
        The picture, and the factors by which x and y in it become x and y in `image`.
    """
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image, 1.0, 1.0
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), width / size[0], height / size[1]
