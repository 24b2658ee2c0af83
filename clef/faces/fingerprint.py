"""What crops depend on, which is written into them, into the manifest and beside weights."""

from collections.abc import Mapping
from typing import Any

from clef.faces.alignment import LEFT_EYE, RIGHT_EYE
from clef.params.schema import CropParams

CROPPING = 1
"""To be raised with a change of the code that gives other crops by the same settings, so that the two do not mix."""


def crop_fingerprint(settings: CropParams, detector: Mapping[str, str | None]) -> dict[str, Any]:
    """What the crops depend on, as plain data with sorted keys.

    Args:
        settings: Of the crops.
        detector: Fingerprint of the detector.
    """
    fingerprint = {
        "align": settings.align,
        "cropping": CROPPING,
        "bridge": settings.bridge,
        "colour": "rgb",
        "detect_size": settings.detect_size,
        "detector": dict(sorted(detector.items())),
        "every": settings.every,
        "eyes": [*RIGHT_EYE, *LEFT_EYE],
        "face": settings.face,
        "filter": "area",
        "margin": settings.margin,
        "quality": settings.quality,
        "score": settings.score,
        "size": settings.size,
        "smooth": settings.smooth,
    }
    return dict(sorted(fingerprint.items()))
