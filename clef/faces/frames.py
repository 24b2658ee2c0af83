"""Frames of a sequence, numbered as its labels are: one record for every input frame, broken or not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from clef.datasets.base import Sequence
from clef.errors import ClefError
from clef.faces.video import VideoFacts, probe, read_video

__all__ = ["Frame", "VideoFacts", "inspect", "numbered_images", "probe", "read_frames"]

IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Frame:
    """One input frame."""

    number: int
    """As the labels number it."""
    image: np.ndarray | None
    """RGB, uint8, `(height, width, 3)`; none where it cannot be decoded."""
    problem: str | None = None


def read_frames(root: Path, sequence: Sequence) -> Iterator[Frame]:
    """Read a sequence frame by frame.

    Args:
        root: The data set's raw folder.
        sequence: The recording. Frames that it declares and that do not decode come without a picture.

    Yields:
        Every input frame once, by rising number. A source that cannot be opened at all gives all of its
        declared frames without a picture, or one such frame where their number is not known.
    """
    path = root / sequence.source
    try:
        if sequence.kind == "video":
            for number, image, problem in read_video(path, sequence.frames):
                yield Frame(sequence.first_frame + number, image, problem)
        elif sequence.kind == "images":
            for number, file in numbered_images(path):
                yield _still(sequence.first_frame + number, file)
        else:
            yield _still(sequence.first_frame, path)
    except ClefError as error:  # raised before the first frame: by opening or listing the source
        for number in range(sequence.frames or 1):
            yield Frame(sequence.first_frame + number, None, str(error))


def inspect(root: Path, sequence: Sequence) -> Sequence:
    """Fill in frames, rate, size, or the problem that keeps the source from being read.

    Videos are not decoded past their first frame, nor folders past their first image.
    """
    path = root / sequence.source
    try:
        if sequence.kind == "video":
            facts = probe(path)
            return replace(
                sequence,
                frames=facts.frames,
                fps=facts.fps,
                width=facts.width,
                height=facts.height,
                problem=None,
            )
        files = [file for _, file in numbered_images(path)] if sequence.kind == "images" else [path]
    except ClefError as error:
        return replace(sequence, problem=str(error))
    first = _still(0, files[0])
    if first.image is None:
        # one bad image of a folder costs itself only
        return replace(sequence, frames=len(files), problem=first.problem if sequence.kind == "image" else None)
    height, width = first.image.shape[:2]
    return replace(sequence, frames=len(files), width=width, height=height, problem=None)


def numbered_images(folder: Path) -> list[tuple[int, Path]]:
    """The images of a folder by the number that is their name; zero padding does not matter.

    Raises:
        ClefError: The folder is missing, holds no numbered image, or two with the same number.
    """
    if not folder.is_dir():
        raise ClefError(f"{folder}: no such folder; expected numbered images; restore it")
    found: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in IMAGE_SUFFIXES or not file.stem.isdecimal():
            continue
        number = int(file.stem)
        if number in found:
            raise ClefError(f"{folder}: {found[number].name} and {file.name} are both image {number}; remove one")
        found[number] = file
    if not found:
        raise ClefError(f"{folder}: holds no image named by a number, such as 0001.jpg; restore it")
    return sorted(found.items())


def _still(number: int, path: Path) -> Frame:
    """Decode an image file: grey, alpha and 16 bit come as RGB uint8, turned as its EXIF orientation says."""
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except (OSError, cv2.error) as error:
        return Frame(number, None, f"{path}: cannot be read ({' '.join(str(error).split())})")
    if image is None:
        return Frame(number, None, f"{path}: not a whole image file")
    return Frame(number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
