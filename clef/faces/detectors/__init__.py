"""Face detectors behind one interface. To add a detector, write its class and a case in `build_detector`."""

from clef.faces.detectors.base import Detector, Face
from clef.params.schema import CropParams

__all__ = ["Detector", "Face", "build_detector"]


def build_detector(settings: CropParams) -> Detector:
    """Build the detector that the settings name, and import its library only now.

    Raises:
        ClefError: The detector's weights, package or device is missing.
    """
    if settings.detector == "lbp":
        from clef.faces.detectors.lbp import LbpDetector

        return LbpDetector(settings.score, settings.detect_size)
    if settings.detector == "yunet":
        from clef.faces.detectors.yunet import YunetDetector

        return YunetDetector(settings.weights, settings.score, settings.detect_size)
    if settings.detector == "retinaface":
        from clef.faces.detectors.retinaface import RetinaFaceDetector

        return RetinaFaceDetector(settings.weights, settings.score, settings.detect_size, settings.device)
    from clef.faces.detectors.whole_image import WholeImage

    return WholeImage()
