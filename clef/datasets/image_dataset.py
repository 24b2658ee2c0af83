"""Data sets of single images: no subjects, no activities, an official split. Their shards are blocks of images."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from clef.datasets.base import Dataset, sort_by_shard
from clef.datasets.readers.find_folders import relative
from clef.params.schema import Count, Section
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

UNLABELLED = "unlabelled"
"""Key of `Unlabelled` in the `attrs` of a table of labels."""


class Unlabelled(NamedTuple):
    """Images of a copy without a label; `clef.ingest` judges whether they are too many."""

    names: list[str]
    images: int
    """Number of all images."""


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
        self, expressions: Iterable[tuple[RecordedSequence, str]], unlabelled: Sequence[str] = ()
    ) -> "pd.DataFrame":
        """Make the table of labels from the labelled images and their class."""
        import pandas as pd

        rows = [(image.sequence, image.first_frame, expression) for image, expression in expressions]
        labels = pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})
        labels.attrs[UNLABELLED] = Unlabelled(list(unlabelled), len(rows) + len(unlabelled))
        return labels
