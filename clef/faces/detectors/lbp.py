"""The detector without weights: scikit-image's LBP cascade for frontal faces."""

from collections.abc import Sequence
from importlib.metadata import version

import cv2
import numpy as np
import skimage.data
from skimage.feature import Cascade

from clef.faces.detectors.base import Detector, Face, intersection, shrink

SEARCH_SIZE = 320  # longest side of the searched image in pixels; the cascade's window has 24
LEAST_SHARE = 0.25  # smallest face, as a share of the longest side; half of it would take four times as long
SCALE_STEP = 1.2
OVERLAP = 0.5  # share of the smaller of two windows that their intersection has if they show the same face


class LbpDetector(Detector):
    """Finds frontal faces that fill a quarter of the image's longer side or more, without landmarks.

    The cascade accepts or rejects windows and gives no score. The score here is n / (n + 2) for a face with n accepted
    windows: five windows pass the default of 0.7, which is close to scikit-image's default.
    """

    finds_landmarks = False

    def __init__(self, least_score: float, detect_size: int) -> None:
        self._cascade = Cascade(skimage.data.lbp_frontal_face_cascade_filename())
        self._least_score = least_score
        self._longest = min(detect_size, SEARCH_SIZE)
        self.fingerprint = {"name": "lbp", "library": f"scikit-image {version('scikit-image')}", "weights": None}

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> list[Face]:
        small, x_factor, y_factor = shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), self._longest)
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
            intersection_score_threshold=2.0,  # never reached, so that windows stay unmerged and can be counted
        )
        windows = np.array([(w["c"], w["r"], w["width"], w["height"]) for w in found], float).reshape(-1, 4)
        faces = []
        for group in _group_by_face(windows):
            score = len(group) / (len(group) + 2)
            if score >= self._least_score:
                factors = (x_factor, y_factor, x_factor, y_factor)
                left, top, width, height = map(float, windows[group].mean(axis=0) * factors)
                faces.append(Face((left, top, width, height), score))
        return sorted(faces, key=lambda face: -face.score)


def _group_by_face(windows: np.ndarray) -> list[list[int]]:
    """Group windows: each joins the first group whose mean it overlaps enough."""
    groups: list[list[int]] = []
    for index, window in enumerate(windows):
        for group in groups:
            mean = windows[group].mean(axis=0)
            if intersection(mean, window) / min(np.prod(mean[2:]), np.prod(window[2:])) >= OVERLAP:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
