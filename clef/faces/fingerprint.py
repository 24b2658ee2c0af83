"""The settings and versions that determine crops, as stored in shards, in the manifest and beside weights."""

from collections.abc import Mapping
from typing import Any

from clef.faces.alignment import LEFT_EYE, RIGHT_EYE
from clef.params.schema import CropParams

CROPPING = 4
"""Raise this when a code change gives different crops for the same settings, so that the two do not mix."""

SETTINGS = ("align", "bridge", "detect_size", "every", "face", "margin", "quality", "score", "size", "smooth")


def crop_fingerprint(settings: CropParams, detector: Mapping[str, str | None]) -> dict[str, Any]:
    """Return all that crops depend on as plain data with sorted keys, given the detector's fingerprint."""
    fingerprint = {name: getattr(settings, name) for name in SETTINGS}
    fingerprint |= {
        "cropping": CROPPING,
        "colour": "rgb",
        "detector": dict(sorted(detector.items())),
        "eyes": [*RIGHT_EYE, *LEFT_EYE],
        "filter": "area",
    }
    return dict(sorted(fingerprint.items()))
