"""Detect faces in several threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np

from clef.faces.detectors import Detector, Face


class ThreadedDetector(Detector):
    """Divides the images of a call among equal detectors, each in a thread. Faces are those of one detector."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = detectors
        self._pool = ThreadPoolExecutor(len(detectors), thread_name_prefix="detector")
        self.finds_landmarks = detectors[0].finds_landmarks
        self.upright_score = detectors[0].upright_score
        self.skips_frames = detectors[0].skips_frames
        self.fingerprint = detectors[0].fingerprint

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        used = min(len(self._detectors), len(images))
        if used < 2:
            return self._detectors[0].detect(images)
        shares = [images[number * len(images) // used : (number + 1) * len(images) // used] for number in range(used)]
        return list(chain.from_iterable(self._pool.map(lambda one, own: one.detect(own), self._detectors, shares)))

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()
