"""What every data set answers, and the one record they share: a sequence."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import pandas as pd

    from clef.params import Params

Kind = Literal["video", "images", "image"]


@dataclass(frozen=True)
class Sequence:
    """One recording: a video, a folder of numbered images, or a single image.

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
    kind: Kind
    source: str
    """Path of the video, folder or image, relative to the data set's raw folder."""
    first_frame: int
    """Label number of the first decoded frame (`video`), or of the image named 0 (`images`), or of the image."""
    frames: int | None = None
    """Frames as the container declares them, or as found in the folder."""
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    problem: str | None = None
    """Why the source cannot be read at all; its rows say so too."""


SEQUENCE_COLUMNS = [field.name for field in fields(Sequence)]


class Dataset(ABC):
    """Where a data set's files are, what its labels mean, and who is in it.

    Nothing here needs the data to be present except `sequences` and `labels`: the rule graph is built without it.
    """

    label_names: ClassVar[list[str]]
    """Every label that the data set codes: `AU01` ... or class names."""
    activities: ClassVar[dict[str, str]] = {}
    """Activity id to the key of its description in the texts file; empty without activities."""

    def __init__(self, params: "Params") -> None:
        self.params = params
        self.name = params.dataset.name

    @abstractmethod
    def shards(self) -> list[str]:
        """Names of the shards, each cropped by one job."""

    @abstractmethod
    def subjects(self) -> list[str]:
        """Subject ids; empty for data sets without subjects."""

    @abstractmethod
    def expected_sequences(self) -> list[str]:
        """Names of the recordings that a complete copy has."""

    def made_by(self) -> str | None:
        """File below the raw folder that says the raw data is complete, where the project makes it itself."""
        return None

    @abstractmethod
    def sequences(self, root: Path) -> list[Sequence]:
        """List the recordings below `root` by name and number, without opening them, sorted by shard and name."""

    @abstractmethod
    def labels(self, root: Path, sequences: Iterable[Sequence]) -> "pd.DataFrame":
        """Read the raw labels.

        Returns:
            Columns `sequence`, `frame` and one raw column per label: `AU01` ... with occurrence codes or
            intensities (9 or missing where unknown), or `expression` with the name of the class.
        """
