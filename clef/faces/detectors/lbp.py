"""The detector that needs no weights: the LBP frontal-face cascade inside scikit-image's wheel."""

from collections.abc import Sequence
from importlib.metadata import version

import cv2
import numpy as np
import skimage.data
from skimage.feature import Cascade

from clef.faces.detectors.base import Detector, Face, shrunk

SEARCH_SIZE = 320
"""Longest side of the picture it searches at most; the cascade's window is 24 pixels."""
LEAST_SHARE = 0.25
"""Smallest face, as a share of the longest side. Halving it quadruples the time."""
SCALE_STEP = 1.2
OVERLAP = 0.5
"""Windows whose intersection is this share of the smaller one belong to the same face."""


class LbpDetector(Detector):
    """Frontal faces that fill a quarter of the picture's longer side or more, without landmarks.

    The cascade says yes or no and gives no score. The score here is n / (n + 2), where n is how many windows
    of a face said yes: five windows or more pass the default of 0.7, about what scikit-image asks
    by default.
    """

    def __init__(self, least_score: float, detect_size: int) -> None:
        self._cascade = Cascade(skimage.data.lbp_frontal_face_cascade_filename())
        self._least_score = least_score
        self._longest = min(detect_size, SEARCH_SIZE)

    @property
    def fingerprint(self) -> dict[str, str | None]:
        """Without weights: the cascade belongs to the library's version."""
        return {"name": "lbp", "library": f"scikit-image {version('scikit-image')}", "weights": None}

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of each picture; see `Detector.detect`."""
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> list[Face]:
        small, across, down = shrunk(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), self._longest)
        longest, shortest = max(small.shape), min(small.shape)
        least = max(24, round(LEAST_SHARE * longest))
        if least > shortest:
            return []
        found = self._cascade.detect_multi_scale(
            small,
            scale_factor=SCALE_STEP,
            step_ratio=1,
            min_size=(least, least),
            max_size=(shortest, shortest),
            min_neighbor_number=0,
            intersection_score_threshold=2.0,  # never reached: windows come unmerged, to be counted
        )
        windows = np.array([(w["c"], w["r"], w["width"], w["height"]) for w in found], float).reshape(-1, 4)
        faces = []
        for group in _groups(windows):
            score = len(group) / (len(group) + 2)
            if score >= self._least_score:
                left, top, width, height = windows[group].mean(axis=0)
                box = (float(left * across), float(top * down), float(width * across), float(height * down))
                faces.append(Face(box, score))
        return sorted(faces, key=lambda face: -face.score)


def _groups(windows: np.ndarray) -> list[list[int]]:
    """Windows of the same face: each joins the first group whose mean it overlaps enough."""
    groups: list[list[int]] = []
    for index, window in enumerate(windows):
        for group in groups:
            if _overlap(windows[group].mean(axis=0), window) >= OVERLAP:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection as a share of the smaller box."""
    corner = np.maximum(one[:2], other[:2])
    extent = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - corner
    return float(np.prod(extent.clip(min=0)) / min(np.prod(one[2:]), np.prod(other[2:])))
