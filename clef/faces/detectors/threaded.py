"""Detect faces in several threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np

from clef.faces.detectors import Detector, Face, build_detector
from clef.params.schema import CropParams


class ThreadedDetector(Detector):
    """Divides the images of a call among equal detectors, each in a thread. Faces are those of one detector."""

    def __init__(self, settings: CropParams, pool: ThreadPoolExecutor, threads: int) -> None:
        first = build_detector(settings)
        others = (first if first.is_thread_safe else build_detector(settings) for _ in range(threads - 1))
        self._detectors = [first] if first.uses_gpu else [first, *others]
        self._pool = pool
        self.one_thread_each = first.one_thread_each  # type: ignore[method-assign]
        self.finds_landmarks = first.finds_landmarks
        self.upright_score = first.upright_score
        self.prefers_mosaics = first.prefers_mosaics
        self.skips_frames = first.skips_frames
        self.fingerprint = first.fingerprint

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        used = min(len(self._detectors), len(images))
        if used < 2:
            return self._detectors[0].detect(images)
        shares = [images[number * len(images) // used : (number + 1) * len(images) // used] for number in range(used)]
        return list(chain.from_iterable(self._pool.map(lambda one, own: one.detect(own), self._detectors, shares)))
