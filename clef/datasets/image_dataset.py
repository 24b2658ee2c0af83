"""Data sets of single images: no subjects, no activities, an official split. Their shards are blocks of images."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from clef.datasets.base import Dataset, sort_by_shard
from clef.datasets.readers.find_folders import relative
from clef.errors import ClefError, abbreviate
from clef.params.schema import Count, Section
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


class UnlabelledError(ClefError):
    """More images have no label than `ingest.max_bad` allows."""

    def __init__(self, root: Path, unlabelled: list[str], images: int, allowed: int) -> None:
        self.unlabelled, self.images = unlabelled, images
        super().__init__(
            f"{root}: {len(unlabelled)} of {images} images have no label, "
            f"ingest.max_bad allows {allowed}: {abbreviate(unlabelled)}; complete the copy"
        )


class ImageDatasetOptions(Section):
    """Options of data sets of single images."""

    blocks: Count = 8
    """Number of blocks of images; each is cropped by one job."""


class ListedImage(NamedTuple):
    """An image file of a copy, which may be missing."""

    split: str
    name: str
    """Unique in the data set."""
    number: int
    """Determines its block."""
    path: Path
    box: tuple[int, int, int, int] | None = None
    """See `RecordedSequence.box`."""


class ImageDataset(Dataset):
    """A data set of single images, listed by the copy itself."""

    Options: ClassVar[type[Section]] = ImageDatasetOptions
    options: ImageDatasetOptions
    crop_options: ClassVar = frozenset({"blocks"})
    digest_whole_folder: ClassVar = True

    def shards(self) -> list[str]:
        return [self._block(number) for number in range(self.options.blocks)]

    def subjects(self) -> list[str]:
        return []

    def version_of(self, shard: str) -> str:
        return "images"

    def _block(self, number: int) -> str:
        """Block of an image, by a number that stays the same when other images are added or removed."""
        return f"block{number % self.options.blocks:03d}"

    def _recordings(self, root: Path, images: Iterable[ListedImage]) -> list[RecordedSequence]:
        return sort_by_shard(
            self._recording(name, self._block(number), "image", relative(path, root), 0, split=split, box=box)
            for split, name, number, path, box in images
        )

    def _labels(
        self, root: Path, expressions: Iterable[tuple[RecordedSequence, str]], unlabelled: list[str]
    ) -> "pd.DataFrame":
        """Make the table of labels from the labelled images and their class."""
        import pandas as pd

        rows = [(image.sequence, image.first_frame, expression) for image, expression in expressions]
        self._check_unlabelled(root, unlabelled, len(rows) + len(unlabelled))
        return pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})

    def _check_unlabelled(self, root: Path, unlabelled: list[str], images: int) -> None:
        """Warn of images without a label, or raise an `UnlabelledError` if there are too many."""
        allowed = int(self.params.ingest.max_bad * images)
        if len(unlabelled) > allowed:
            raise UnlabelledError(root, unlabelled, images, allowed)
        if unlabelled:
            log.warning("without a label: %s", abbreviate(unlabelled))
