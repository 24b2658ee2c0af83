"""Face detectors behind one interface. To add a detector, write its class and a case in `build_detector`."""

from clef.faces.detectors.base import Detector, Face, WholeImage
from clef.params.schema import CropParams

__all__ = ["Detector", "Face", "build_detector"]


def build_detector(settings: CropParams) -> Detector:
    """Build the detector that the settings name; raise a ClefError if its weights, package or device is missing."""
    # Libraries of detectors that are not used stay unloaded.
    if settings.detector == "mtcnn":
        from clef.faces.detectors.mtcnn import MtcnnDetector

        return MtcnnDetector(settings.score, settings.detect_size)
    if settings.detector == "lbp":
        from clef.faces.detectors.lbp import LbpDetector

        return LbpDetector(settings.score, settings.detect_size)
    if settings.detector == "yunet":
        from clef.faces.detectors.yunet import YunetDetector

        return YunetDetector(settings.weights, settings.score, settings.detect_size)
    if settings.detector == "retinaface":
        from clef.faces.detectors.retinaface import RetinaFaceDetector

        return RetinaFaceDetector(settings.weights, settings.score, settings.detect_size, settings.device)
    return WholeImage()
