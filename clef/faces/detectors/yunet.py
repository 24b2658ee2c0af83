"""YuNet through OpenCV's `FaceDetectorYN`: fast and good on a CPU. It needs an ONNX file of weights."""

from collections.abc import Sequence

import cv2
import numpy as np

from clef.errors import ClefError
from clef.faces.detectors.base import Detector, Face, shrink
from clef.runtime.files import file_hash
from clef.weights.releases import DETECTOR_RELEASES, detector_weights


class YunetDetector(Detector):
    """Finds faces with five landmarks."""

    def __init__(self, weights: str | None, least_score: float, detect_size: int) -> None:
        path = detector_weights("yunet", weights)
        assert path is not None, "this detector has a release"
        self._longest = detect_size
        before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), least_score)
        except cv2.error as error:
            reason = " ".join(str(error).split())[:200]
            raise ClefError(
                f"crop.weights: {path} does not fit ({reason}); expected {DETECTOR_RELEASES['yunet']}"
            ) from None
        finally:
            cv2.utils.logging.setLogLevel(before)
        self.fingerprint = {"name": "yunet", "library": f"opencv {cv2.__version__}", "weights": file_hash(path)}

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect`."""
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> list[Face]:
        small, x_factor, y_factor = shrink(image, self._longest)
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if found is None:
            return []
        faces = []
        for row in found.astype(float):  # box 4, landmarks 10, score 1
            left, top, width, height = row[:4] * (x_factor, y_factor, x_factor, y_factor)
            landmarks = row[4:14].reshape(5, 2) * (x_factor, y_factor)
            faces.append(Face((left, top, width, height), min(float(row[14]), 1.0), landmarks))
        return sorted(faces, key=lambda face: -face.score)
