"""Frames of a sequence, numbered as its labels are: one record for every input frame, broken or not."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipInfo

import cv2
import numpy as np

from clef.errors import ClefError
from clef.recordings.numbered_images import is_folder, numbered_images, read_zipped, zipped_folders, zipped_images
from clef.recordings.pixels import read_pixels, row_bytes
from clef.recordings.sequence import MISSING, NUMBERED, RecordedSequence
from clef.recordings.video import VideoFacts, probe, read_video

__all__ = ["Frame", "VideoFacts", "inspect", "numbered_images", "probe", "read_frames"]

LARGEST_FILE = 2**30
"""Bytes of an image file: 100 million pixels with four channels of 16 bits have fewer."""
PIXELS_DECODED = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""The variable that `clef` sets, and by which one who has larger images can say so."""
TOO_LARGE = "validateInputImageSize"
"""Where OpenCV refuses an image by the size that its header gives."""


@dataclass(frozen=True)
class Frame:
    """One input frame."""

    number: int
    """As the labels number it."""
    image: np.ndarray | None
    """RGB, uint8, `(height, width, 3)`; none where it cannot be decoded."""
    problem: str | None = None


def read_frames(root: Path, sequence: RecordedSequence) -> Iterator[Frame]:
    """Read a sequence frame by frame.

    Args:
        root: The data set's raw folder.
        sequence: The recording. Frames that it declares and that do not decode come without a picture.

    Yields:
        Every input frame once, by rising number. A source that cannot be opened at all gives all of its
        declared frames without a picture, or one such frame where their number is not known; one that is not there has
        no frames.
    """
    path = root / sequence.source
    try:
        if sequence.kind == "video":
            for number, image, problem in read_video(path, sequence.frames):
                yield Frame(sequence.first_frame + number, image, problem)
        elif sequence.kind == "images":
            for number, file in numbered_images(path):
                yield _still(sequence.first_frame + number, file)
        elif sequence.kind == "zip":
            for number, member in zipped_images(path, sequence.inside or ""):
                yield _zipped(sequence.first_frame + number, path, member)
        elif sequence.kind == "pixels":
            yield Frame(sequence.first_frame, read_pixels(path, int(sequence.inside or 0)))
        else:
            yield _still(sequence.first_frame, path)
    except ClefError as error:  # raised before the first frame: by opening or listing the source
        if sequence.frames is None and _is_absent(path, sequence):
            return
        for number in range(sequence.frames or 1):
            yield Frame(sequence.first_frame + number, None, str(error))


def _is_absent(path: Path, sequence: RecordedSequence) -> bool:
    """Whether a recording is not there at all; of a single image it is known that it would have one frame."""
    if sequence.single:
        return False
    if not path.exists():
        return True
    try:
        return sequence.kind == "zip" and not any(
            is_folder(folder, sequence.inside or "") for folder in zipped_folders(path)
        )
    except ClefError:
        return False


def inspect(root: Path, sequence: RecordedSequence, look: bool = True) -> RecordedSequence:
    """Fill in frames, rate, sizes, or the problem that keeps the source from being read.

    Videos are not decoded past their first frame, nor folders past their first image.

    Args:
        root: The data set's raw folder.
        sequence: As listed.
        look: Decode a single image; without, only its size is asked, and width and height stay unknown.
    """
    path = root / sequence.source
    if sequence.single:
        return _inspect_single(path, root, sequence, look)
    if sequence.kind in NUMBERED:
        return inspect_numbered(root, sequence)[0]
    sequence = replace(sequence, file_size=_bytes_in(path))
    try:
        facts = probe(path)
    except ClefError as error:
        return replace(sequence, problem=_problem(path, sequence, error))
    return replace(sequence, frames=facts.frames, fps=facts.fps, width=facts.width, height=facts.height, problem=None)


def _problem(path: Path, sequence: RecordedSequence, error: ClefError) -> str:
    """What is wrong with a source, which stands beside it in messages."""
    return MISSING if _is_absent(path, sequence) else str(error).removeprefix(f"{path}: ")


def inspect_numbered(root: Path, sequence: RecordedSequence, sizes: bool = True) -> tuple[RecordedSequence, list[int]]:
    """Fill in what `inspect` does for numbered images, and list them.

    Args:
        root: The data set's raw folder.
        sequence: As listed.
        sizes: Ask the size of every file of a folder.

    Returns:
        The sequence, and its frames as the labels number them; none where the source cannot be read.
    """
    path = root / sequence.source
    if sizes:
        sequence = replace(sequence, file_size=_bytes_in(path))
    try:
        if sequence.kind == "zip":
            members = zipped_images(path, sequence.inside or "")
            numbers = [number for number, _ in members]
            size = sum(member.file_size for _, member in members)
            sequence, first = replace(sequence, file_size=size), _zipped(0, path, members[0][1])
        else:
            files = numbered_images(path)
            numbers = [number for number, _ in files]
            first = _still(0, files[0][1])
    except ClefError as error:
        return replace(sequence, problem=_problem(path, sequence, error)), []
    sequence = replace(sequence, frames=len(numbers), problem=None)
    if first.image is not None:  # one bad image costs itself only
        height, width = first.image.shape[:2]
        sequence = replace(sequence, width=width, height=height)
    return sequence, [sequence.first_frame + number for number in numbers]


def _inspect_single(path: Path, root: Path, sequence: RecordedSequence, look: bool) -> RecordedSequence:
    try:
        row = int(sequence.inside or 0)
        size = row_bytes(path, row) if sequence.kind == "pixels" else path.stat().st_size
    except OSError as error:
        return replace(sequence, frames=1, problem=f"cannot be read ({error.strerror})")
    except ClefError as error:
        return replace(sequence, frames=1, problem=str(error).removeprefix(f"{path}: "))
    sequence = replace(sequence, frames=1, file_size=size, problem=None if size else "not a whole image file")
    if not size or not look:
        return sequence
    (frame,) = read_frames(root, sequence)
    if frame.image is None:
        return replace(sequence, problem=(frame.problem or "").removeprefix(f"{path}: "))
    height, width = frame.image.shape[:2]
    return replace(sequence, width=width, height=height)


def _bytes_in(path: Path) -> int | None:
    if path.is_dir():
        with os.scandir(path) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    return path.stat().st_size if path.exists() else None


def _still(number: int, path: Path) -> Frame:
    """Decode an image file: grey, alpha and 16 bit come as RGB uint8, turned as its EXIF orientation says."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FILE:
                return Frame(number, None, f"{path}: {size} bytes; expected an image of a camera")
            content = file.read(size)
        return _decoded(number, content, str(path))
    except OSError as error:
        return Frame(number, None, f"{path}: cannot be read ({error.strerror})")


def _zipped(number: int, path: Path, member: ZipInfo) -> Frame:
    """Decode an image inside a zip file."""
    try:
        return _decoded(number, read_zipped(path, member), f"{path}: {member.filename}")
    except ClefError as error:
        return Frame(number, None, str(error))


def _decoded(number: int, content: bytes, where: str) -> Frame:
    try:
        encoded = np.frombuffer(content, np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error as error:
        if TOO_LARGE in str(error):
            most = os.environ[PIXELS_DECODED]
            return Frame(number, None, f"{where}: more than {most} pixels; expected an image of a camera")
        return Frame(number, None, f"{where}: cannot be read ({' '.join(str(error).split())})")
    if image is None:
        return Frame(number, None, f"{where}: not a whole image file")
    return Frame(number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
