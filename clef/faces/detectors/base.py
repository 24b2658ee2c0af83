"""The interface of face detectors."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in an image, in source pixels with (0, 0) at the image's top left corner."""

    box: tuple[float, float, float, float]
    """Left, top, width, height."""
    score: float
    """From 0 to 1, on each detector's own scale."""
    landmarks: np.ndarray | None = None
    """`(5, 2)`: right eye, left eye, nose, right and left mouth corner. Right and left are the person's own."""

    @property
    def centre(self) -> np.ndarray:
        """Centre of the box, `(2,)`."""
        left, top, width, height = self.box
        return np.array([left + width / 2, top + height / 2])

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.box[2] * self.box[3]

    def covers(self, point: np.ndarray) -> bool:
        """Whether a point lies in the box."""
        return bool((abs(self.centre - point) <= np.array(self.box[2:]) / 2).all())

    def distance(self, point: np.ndarray) -> float:
        """Distance of the box's centre from a point."""
        return float(np.linalg.norm(self.centre - point))


class Detector(ABC):
    """Finds faces in images. Each image is judged alone; batches only save time."""

    finds_landmarks = True
    """Whether faces have landmarks. Faces that lie on their side are only searched for if crops can become upright."""
    upright_score = math.inf
    """A score that no face has which lies on its side or upside down: such faces often get upright landmarks."""
    prefers_mosaics = False
    """Whether it sees small cuts side by side in one image, since a small image takes as long as a large one."""
    skips_frames = True
    """Whether `crop.every` applies: not where a search takes no time."""
    is_thread_safe = False
    """Whether several threads may call one detector."""
    uses_gpu = False
    fingerprint: dict[str, str | None]
    """Name, library with version, and SHA-256 of the weights: all that distinguishes its results from others."""

    def one_thread_each(self) -> AbstractContextManager[None]:
        """Let each thread that calls `detect` use one thread only, while the block runs."""
        return nullcontext()

    @abstractmethod
    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces with a sufficient score, best first, in each RGB uint8 image `(height, width, 3)`."""


class WholeImage(Detector):
    """Returns one face as large as the image, with score 1, for images that are already cropped."""

    finds_landmarks = False
    skips_frames = False
    fingerprint = {"name": "none", "library": None, "weights": None}  # noqa: RUF012

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        return [[Face((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)] for image in images]


def intersection(one: np.ndarray, other: np.ndarray) -> float:
    """Area that two boxes share. A box is left, top, width and height."""
    extent = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(extent.clip(min=0)))


def shrink(image: np.ndarray, longest: int) -> tuple[np.ndarray, float, float]:
    """Shrink an image if its longest side exceeds `longest`.

    Returns the image, and the factors that convert its x and y to those of the input.
    """
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image, 1.0, 1.0
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), width / size[0], height / size[1]
