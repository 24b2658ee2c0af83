"""Read the frames of a recording, numbered as its labels are. Each input frame gives one record, broken or not."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zipfile import ZipInfo

import cv2
import numpy as np

from clef.errors import ClefError
from clef.recordings.numbered_images import (
    matching_folders,
    numbered_images,
    read_zipped,
    zipped_folders,
    zipped_images,
)
from clef.recordings.pixel_csv import pixel_row_span, read_pixel_row
from clef.recordings.sequence import MISSING, NUMBERED, RecordedSequence
from clef.recordings.video import probe, read_video
from clef.runtime.read_ahead import MapInOrder

DecodedImage = tuple[np.ndarray | None, str | None]
"""An image, or None and the problem."""
LARGEST_FILE = 2**30  # bytes of an image, enough for 100 million pixels with four channels of 16 bits
PIXEL_LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""Environment variable with OpenCV's limit. `clef` sets it, and users with larger images can raise it."""

IMAGE_BRANDS = {
    "an AVIF image": {b"avif", b"avis"},
    "a HEIC image": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    "a HEIF image": {b"mif1", b"msf1", b"mif2", b"miaf"},
    "a raw camera image": {b"crx "},
}
"""Brands of files with images (ISO/IEC 23008-12, Annex B, and Canon's CR3), the specific ones first."""


@dataclass(frozen=True)
class Frame:
    """One input frame."""

    number: int
    """As in the labels."""
    image: np.ndarray | None
    """RGB, uint8, `(height, width, 3)`, or None if it cannot be decoded."""
    problem: str | None = None
    box: tuple[int, int, int, int] | None = None
    """Annotated face, see `RecordedSequence.box`."""
    time: float | None = None
    """Presentation time in seconds since the start of the recording, if it is a video."""


def read_frames(
    root: Path, sequence: RecordedSequence, start: float = 0.0, in_order: MapInOrder = map
) -> Iterator[Frame]:
    """Read a recording frame by frame.

    Args:
        root: Folder that the recording's source is relative to.
        sequence: The recording.
        start: Frames of a video before this second may be left out.
        in_order: Decodes numbered images, perhaps in several threads.

    Yields:
        Every input frame once, in order of number. Frames that cannot be decoded have no image. A source that cannot
        be opened gives all its declared frames without an image, or one such frame if their number is unknown. A
        missing source gives no frames.
    """
    path = root / sequence.source
    first = sequence.first_frame
    try:
        if sequence.kind == "video":
            for frame in read_video(path, sequence.frames, start):
                yield Frame(first + frame.number, frame.image, frame.problem, time=frame.time)
        elif sequence.kind == "images":
            numbers, files = zip(*numbered_images(path), strict=True)
            for number, decoded in zip(numbers, in_order(_read_image, files), strict=True):
                yield Frame(first + number, *decoded)
        elif sequence.kind == "zip":
            numbers, members = zip(*zipped_images(path, sequence.inside or ""), strict=True)
            for number, decoded in zip(numbers, in_order(partial(_read_member, path), members), strict=True):
                yield Frame(first + number, *decoded)
        elif sequence.kind == "pixels":
            yield Frame(first, read_pixel_row(path, int(sequence.inside or 0)), box=sequence.box)
        else:
            yield Frame(first, *_read_image(path), sequence.box)
    except ClefError as error:  # raised before the first frame, by opening or listing the source
        if sequence.frames is None and _is_missing(path, sequence):
            return
        for number in range(sequence.frames or 1):
            yield Frame(first + number, None, str(error))


def inspect_sequence(root: Path, sequence: RecordedSequence, decode: bool = True) -> RecordedSequence:
    """Fill in frames, rate and sizes, or the problem that prevents reading the source.

    At most the first frame of a video or folder is decoded. A single image is decoded only if `decode` is set.
    Otherwise only its file size is checked, and width and height stay unknown.
    """
    path = root / sequence.source
    if sequence.is_single_image:
        return _inspect_single(root, sequence, decode)
    if sequence.kind in NUMBERED:
        return inspect_numbered(root, sequence)[0]
    sequence = replace(sequence, file_size=_total_size(path))
    try:
        facts = probe(path)
    except ClefError as error:
        return replace(sequence, problem=_problem(path, sequence, error))
    return replace(sequence, frames=facts.frames, fps=facts.fps, width=facts.width, height=facts.height, problem=None)


def inspect_numbered(root: Path, sequence: RecordedSequence, sizes: bool = True) -> tuple[RecordedSequence, list[int]]:
    """Inspect numbered images and list their frame numbers as in the labels: none if the source cannot be read.

    The total size of a folder is looked up only if `sizes` is set.
    """
    path = root / sequence.source
    if sizes:
        sequence = replace(sequence, file_size=_total_size(path))
    try:
        if sequence.kind == "zip":
            members = zipped_images(path, sequence.inside or "")
            numbers = [number for number, _ in members]
            sequence = replace(sequence, file_size=sum(member.file_size for _, member in members))
            image, _ = _read_member(path, members[0][1])
        else:
            files = numbered_images(path)
            numbers = [number for number, _ in files]
            image, _ = _read_image(files[0][1])
    except ClefError as error:
        return replace(sequence, problem=_problem(path, sequence, error)), []
    sequence = replace(sequence, frames=len(numbers), problem=None)
    if image is not None:  # a broken image loses only its own frame
        sequence = replace(sequence, width=image.shape[1], height=image.shape[0])
    return sequence, [sequence.first_frame + number for number in numbers]


def _inspect_single(root: Path, sequence: RecordedSequence, decode: bool) -> RecordedSequence:
    path, sequence = root / sequence.source, replace(sequence, frames=1)
    try:
        if sequence.kind == "pixels":
            start, end = pixel_row_span(path, int(sequence.inside or 0))
            size = end - start
        else:
            size = path.stat().st_size
    except OSError as error:
        return replace(sequence, problem=f"cannot be read ({error.strerror})")
    except ClefError as error:
        return replace(sequence, problem=str(error).removeprefix(f"{path}: "))
    sequence = replace(sequence, file_size=size, problem=None if size else "not a whole image file")
    if not size or not decode:
        return sequence
    (frame,) = read_frames(root, sequence)
    if frame.image is None:
        return replace(sequence, problem=(frame.problem or "").removeprefix(f"{path}: "))
    return replace(sequence, width=frame.image.shape[1], height=frame.image.shape[0])


def _problem(path: Path, sequence: RecordedSequence, error: ClefError) -> str:
    """Describe the problem without the path, which messages name anyway."""
    return MISSING if _is_missing(path, sequence) else str(error).removeprefix(f"{path}: ")


def _is_missing(path: Path, sequence: RecordedSequence) -> bool:
    """Return whether a recording does not exist. A single image always counts as one frame."""
    if sequence.is_single_image or not path.exists():
        return not sequence.is_single_image
    try:
        return sequence.kind == "zip" and not matching_folders(zipped_folders(path), sequence.inside or "")
    except ClefError:
        return False


def _total_size(path: Path) -> int | None:
    if path.is_dir():
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    return path.stat().st_size if path.exists() else None


def _read_member(path: Path, member: ZipInfo) -> DecodedImage:
    try:
        return decode_image(read_zipped(path, member), f"{path}: {member.filename}")
    except ClefError as error:
        return None, str(error)


def _read_image(path: Path) -> DecodedImage:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FILE:
                return None, f"{path}: {size} bytes; expected a camera image"
            return decode_image(file.read(size), str(path))
    except OSError as error:
        return None, f"{path}: cannot be read ({error.strerror})"


def decode_image(content: bytes, name: str) -> DecodedImage:
    """Decode an image to RGB uint8, also from grey, alpha and 16 bit, turned by its EXIF orientation."""
    if content[4:8] == b"ftyp":  # OpenCV does not turn AVIF images
        return None, f"{name}: {_iso_media(content)}"
    try:
        encoded = np.frombuffer(content, np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error as error:
        if "validateInputImageSize" in str(error):  # the OpenCV function that enforces the limit
            return None, f"{name}: more than {os.environ[PIXEL_LIMIT]} pixels; expected a camera image"
        return None, f"{name}: cannot be read ({' '.join(str(error).split())})"
    if image is None:
        return None, f"{name}: not a whole image file"
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), None


def _iso_media(content: bytes) -> str:
    """Say what a file in the ISO base media format is, by the brands that its first box lists (ISO/IEC 14496-12)."""
    brands = {content[8:12], *(content[start : start + 4] for start in range(16, int.from_bytes(content[:4]), 4))}
    kind = next((kind for kind, own in IMAGE_BRANDS.items() if brands & own), None)
    if kind is None:
        return "an MP4 or MOV video, whatever its name; convert it to images, or name it .mp4 or .mov"
    return f"{kind}, whatever its name; convert it to JPEG or PNG"
