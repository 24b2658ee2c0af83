"""A recorded sequence: one recording of a data set, as `ingest` lists it."""

from dataclasses import dataclass, fields
from typing import Literal

SequenceKind = Literal["video", "images", "image", "zip", "pixels"]
NUMBERED: tuple[SequenceKind, ...] = ("images", "zip")
"""Kinds whose frames are files named by number: one may be missing, and the rest keep their numbers."""

MISSING = "missing"
"""`RecordedSequence.problem` of a recording that is not there at all."""


@dataclass(frozen=True)
class RecordedSequence:
    """One recording: a video, a folder of numbered images, also inside a zip file, or a single image, also in a table.

    `(dataset, subject, activity, sequence, frame)` identifies a frame. `frame` is the number that the labels use.
    """

    dataset: str
    sequence: str
    """Name, unique in the data set and usable as a file name, such as `F001_T1`."""
    subject: str | None
    activity: str | None
    split: str | None
    """`train` or `test` where the data set has an official split."""
    shard: str
    """The unit of cropping: a subject, or a block of images."""
    kind: SequenceKind
    source: str
    """Path of the video, folder, image, zip file or table of pixels, relative to the data set's raw folder."""
    first_frame: int
    """Label number of the first decoded frame (`video`), of the image named 0 (`images`, `zip`), or of the image."""
    frames: int | None = None
    """Frames as the container declares them, or as found in the folder."""
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    file_size: int | None = None
    """Bytes of the file, or of the files in the folder together."""
    problem: str | None = None
    """Why the source cannot be read at all; its rows say so too. `MISSING` where it is not there."""
    inside: str | None = None
    """Folder of the images inside the zip file (`zip`), such as `F001/T1`; or row of the table (`pixels`), from 0."""
    box: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the face in a single image, where the data set gives it; no width, no face."""

    @property
    def single(self) -> bool:
        """One image, with no neighbours in time."""
        return self.kind in ("image", "pixels")

    @property
    def is_missing(self) -> bool:
        """Not there at all: it has no frames but those that its labels name, and no shard knows of it."""
        return self.problem == MISSING

    @property
    def location(self) -> str:
        """Where it lies, for messages."""
        return f"{self.source}: {self.inside}" if self.kind == "zip" else self.source


SEQUENCE_COLUMNS = [field.name for field in fields(RecordedSequence)]
