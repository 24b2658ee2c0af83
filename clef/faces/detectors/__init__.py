"""Face detectors behind one interface. A detector is added by one class, and one case of `build_detector`."""

from clef.faces.detectors.base import Detector, Face
from clef.params.schema import CropParams

__all__ = ["Detector", "Face", "build_detector"]


def build_detector(settings: CropParams) -> Detector:
    """Make the detector that the settings name. Its library is imported only now.

    Raises:
        ClefError: Its weights, its package or the device are missing.
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
    from clef.faces.detectors.whole import WholePicture

    return WholePicture()
