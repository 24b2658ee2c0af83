"""Files of weights that the project does not ship: what they are, where they come from, and their hashes."""

import hashlib
from pathlib import Path

from clef.errors import ClefError

DETECTOR_RELEASES = {
    "retinaface": (
        "retinaface_resnet50_2020-07-20-f168fae3c.zip (its SHA-256 begins with f168fae3c) from "
        "https://github.com/ternaus/retinaface/releases/download/0.01/retinaface_resnet50_2020-07-20-f168fae3c.zip"
    ),
    "yunet": (
        "face_detection_yunet_2023mar.onnx from https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
    ),
}
"""What to get for each detector that needs a file."""


def detector_weights(detector: str, weights: str | None) -> Path | None:
    """The file of a detector's weights; None where the detector needs none.

    Args:
        detector: `crop.detector` of the params.
        weights: `crop.weights` of the params.

    Raises:
        ClefError: None is named, or it is not there.
    """
    if detector not in DETECTOR_RELEASES:
        return None
    release = DETECTOR_RELEASES[detector]
    if weights is None:
        raise ClefError(f"crop.weights: the detector {detector} needs a file; get {release} and give its path")
    if not Path(weights).is_file():
        raise ClefError(f"crop.weights: no file {weights}; get {release} and put it there")
    return Path(weights)


def file_hash(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
