"""Files of weights that the project does not ship: what they are, where they come from, and their hashes."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clef.errors import ClefError
from clef.params.schema import MODEL_SUFFIXES
from clef.runtime.files import file_hash
from clef.runtime.paths import WEIGHTS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Release:
    """A published file of weights."""

    file: str
    address: str
    sha256: str
    """Its SHA-256 as hexadecimal digits, or the first of them."""
    confirmed: bool = True
    """False where nothing says that those digits are a SHA-256: another hash is then told and not refused."""

    def __str__(self) -> str:
        digits = f"begins with {self.sha256}" if len(self.sha256) < 64 else f"is {self.sha256}"
        unsure = "" if self.confirmed else ", going by its name"
        return f"{self.file} (its SHA-256 {digits}{unsure}) from {self.address}"


DETECTOR_RELEASES = {
    # Nine digits are all that is published: they stand in the file's name, as torch.hub's convention has it.
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
"""What to get for each detector that needs a file."""


def detector_weights(detector: str, weights: str | None) -> Path | None:
    """The file of a detector's weights; None where the detector needs none.

    A file that bears the name of the release must be the release. Weights of one's own bear another name.

    Args:
        detector: `crop.detector` of the params.
        weights: `crop.weights` of the params; None for where `clef fetch-weights` puts them.

    Raises:
        ClefError: The file is not there, or it has the release's name and another hash.
    """
    if detector not in DETECTOR_RELEASES:
        return None
    release = DETECTOR_RELEASES[detector]
    path = WEIGHTS / release.file if weights is None else Path(weights)
    if not path.is_file():
        command = f"clef fetch-weights {detector}" + ("" if path == WEIGHTS / release.file else f" --to {path}")
        raise ClefError(f"crop.weights: no file {path}; run `{command}`, or get {release} and put it there")
    if path.name == release.file:
        state = path.stat()
        problem = hash_problem(release, _hash_of_state(path, state.st_size, state.st_mtime_ns))
        if problem and release.confirmed:
            raise ClefError(
                f"crop.weights: {path} is not the release of that name: {problem}; get it again from "
                f"{release.address}, or give weights of your own another name"
            )
        if problem:
            log.warning("crop.weights: %s may not be the release of that name: %s", path, problem)
    return path


def fetchable(detector: str, weights: str | None) -> Path | None:
    """The release that `clef fetch-weights` would put where these settings look for it; None where it need not."""
    if detector not in DETECTOR_RELEASES:
        return None
    path = WEIGHTS / DETECTOR_RELEASES[detector].file
    return path if weights in (None, str(path)) and not path.exists() else None


def model_note(name: str, pretrained: str | None) -> Path | None:
    """The note that says which file of published weights was fetched for a model.

    Args:
        name: `model.name` of the params.
        pretrained: `model.pretrained` of the params: a tag of open_clip's, or a file.

    Returns:
        None where the model starts from a file or from nothing.

    Raises:
        ClefError: It should start from a file that is not there.
    """
    if pretrained is None or Path(pretrained).is_file():
        return None
    if "/" in pretrained or Path(pretrained).suffix in MODEL_SUFFIXES:
        raise ClefError(f"model.pretrained: no file {pretrained}; put it there, or give a tag of open_clip's")
    return WEIGHTS / f"{name}.{pretrained}.json"


def hash_problem(release: Release, found: str) -> str | None:
    """What is wrong with the SHA-256 of a file that should be the release; None where nothing is."""
    if found.startswith(release.sha256):
        return None
    return f"its SHA-256 begins with {found[:9]}, expected {release.sha256[:9]}"


@lru_cache
def _hash_of_state(path: Path, size: int, time: int) -> str:
    """Hash of a file in one state: a rule graph asks for the same hundred megabytes once a shard."""
    return file_hash(path)
