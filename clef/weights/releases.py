"""Published files of weights: addresses, hashes, and where the workflow looks for them."""

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clef.errors import ClefError
from clef.params.schema import ModelParams, is_weights_path
from clef.runtime.files import file_hash
from clef.runtime.paths import WEIGHTS
from clef.weights.normalisation import file_normalisation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Release:
    """A published file of weights."""

    file: str
    address: str
    sha256: str
    """Its SHA-256 in hexadecimal digits, or their beginning."""
    confirmed: bool = True
    """False if the digits are only assumed to be a SHA-256: another hash is then a warning and no error."""

    def __str__(self) -> str:
        digits = f"{self.sha256}..." if len(self.sha256) < 64 else self.sha256
        unsure = "" if self.confirmed else ", according to its name"
        return f"{self.file} (SHA-256 {digits}{unsure}) from {self.address}"


DETECTOR_RELEASES = {
    # The only published digits are those in the file's name, which follows the convention of torch.hub.
    "retinaface": Release(
        "retinaface_resnet50_2020-07-20-f168fae3c.zip",
        "https://github.com/ternaus/retinaface/releases/download/0.01/retinaface_resnet50_2020-07-20-f168fae3c.zip",
        "f168fae3c",
        confirmed=False,
    ),
    "yunet": Release(
        "face_detection_yunet_2023mar.onnx",
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
}
"""The weights of each detector that needs some."""


def detector_weights(detector: str, weights: str | None) -> Path | None:
    """Return the file of a detector's weights, or None if the detector needs none.

    The arguments are `crop.detector` and `crop.weights` of the params.

    Raises:
        ClefError: The file is missing, or it has the name of the release but another hash.
    """
    if detector not in DETECTOR_RELEASES:
        return None
    release = DETECTOR_RELEASES[detector]
    default = WEIGHTS / release.file
    path = default if weights is None else Path(weights)
    if not path.is_file():
        command = f"clef fetch-weights {detector}" + ("" if path == default else f" --to {path}")
        raise ClefError(f"crop.weights: no file {path}; run `{command}`, or get {release} and put it there")
    if path.name == release.file:
        state = path.stat()
        problem = hash_problem(release, _hash_of_state(path, state.st_size, state.st_mtime_ns))
        if problem and release.confirmed:
            raise ClefError(
                f"crop.weights: {path} is not the release of that name: {problem}; get it again from "
                f"{release.address}, or rename your own weights"
            )
        if problem:
            log.warning("crop.weights: %s may not be the release of that name: %s", path, problem)
    return path


def fetchable(detector: str, weights: str | None) -> Path | None:
    """Return the missing file that `clef fetch-weights` can write for these settings, or None."""
    if detector not in DETECTOR_RELEASES:
        return None
    path = WEIGHTS / DETECTOR_RELEASES[detector].file
    return path if weights in (None, str(path)) and not path.exists() else None


def model_note(name: str, pretrained: str | None) -> Path | None:
    """Return the note that `clef fetch-weights` writes about a model with a pretrained tag.

    It is None for a model that starts from a file or from scratch; a missing file is a ClefError.
    """
    if pretrained is None or Path(pretrained).is_file():
        return None
    if is_weights_path(pretrained):
        raise ClefError(f"model.pretrained: no file {pretrained}; put it there, or give an open_clip tag")
    return WEIGHTS / f"{name}.{pretrained}.json"


def require_weights(model: ModelParams) -> None:
    """Raise a ClefError if a model's weights cannot be used.

    The file that its note names was removed, as from an emptied cache, or its own file needs `model.normalisation`.
    """
    if model.pretrained is not None and Path(model.pretrained).is_file():
        file_normalisation(model)
    note = model_note(model.name, model.pretrained)
    if note is not None and note.is_file():
        file = json.loads(note.read_text(encoding="utf-8"))["file"]
        if not Path(file).is_file():
            raise ClefError(
                f"model.pretrained: {file} was fetched and is gone; run `clef fetch-weights "
                f"{model.name}/{model.pretrained} --to {note}` on a machine with a network"
            )


def hash_problem(release: Release, found: str) -> str | None:
    """Say how the SHA-256 of a file differs from the release's; None if it does not."""
    if found.startswith(release.sha256):
        return None
    return f"its SHA-256 is {found[:9]}..., expected {release.sha256[:9]}..."


@lru_cache
def _hash_of_state(path: Path, size: int, time: int) -> str:
    """Hash a file once per state: a workflow asks for the same large file once per shard."""
    return file_hash(path)
