"""One recording of a data set, as `ingest` lists it."""

from dataclasses import dataclass, fields
from typing import Literal

SequenceKind = Literal["video", "images", "image", "zip", "pixels"]
NUMBERED: tuple[SequenceKind, ...] = ("images", "zip")
"""Kinds whose frames are files named by number: if one is missing, the others keep their numbers."""

MISSING = "missing"
"""`RecordedSequence.problem` of a recording that does not exist."""


@dataclass(frozen=True)
class RecordedSequence:
    """A video, numbered images in a folder or zip file, a single image file, or a row of a csv file of pixels.

    `(dataset, subject, activity, sequence, frame)` identifies a frame. `frame` is the number that the labels use.
    """

    dataset: str
    sequence: str
    """Name, unique in the data set and usable as a file name, such as `F001_T1`."""
    subject: str | None
    activity: str | None
    split: str | None
    """`train` or `test` if the data set has an official split."""
    shard: str
    """The unit of cropping: a subject, or a block of images."""
    kind: SequenceKind
    source: str
    """Path of the video, folder, image, zip file or csv file, relative to the data set's raw folder."""
    first_frame: int
    """Label number of the first decoded frame (`video`), of the image named 0 (`images`, `zip`), or of the image."""
    frames: int | None = None
    """Number of frames that the container declares or the folder holds."""
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    file_size: int | None = None
    """Bytes of the file, or of all files in the folder."""
    problem: str | None = None
    """Why the source cannot be read at all. `MISSING` if it does not exist."""
    inside: str | None = None
    """Folder inside the zip file (`zip`), such as `F001/T1`, or row of the csv file (`pixels`), from 0."""
    box: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the labelled face in a single image, if annotated; width 0 means no face."""

    @property
    def is_single_image(self) -> bool:
        """Whether the recording is one image, without neighbours in time."""
        return self.kind in ("image", "pixels")

    @property
    def is_missing(self) -> bool:
        """Whether the recording does not exist: it has only the frames that its labels name, and no crops."""
        return self.problem == MISSING

    @property
    def location(self) -> str:
        """Path for messages."""
        return f"{self.source}: {self.inside}" if self.kind == "zip" else self.source


SEQUENCE_COLUMNS = [field.name for field in fields(RecordedSequence)]
