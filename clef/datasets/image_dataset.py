"""What data sets of single images share: no subjects, no activities, an official split, and blocks for shards."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.params.schema import Count, Section
from clef.recordings.sequence import RecordedSequence
from clef.runtime.wording import some

if TYPE_CHECKING:
    import pandas as pd


log = logging.getLogger(__name__)

FRAME = 0
"""The only frame of an image."""


class UnlabelledError(ClefError):
    """More images have no label than `ingest.max_bad` allows."""

    def __init__(self, root: Path, unlabelled: list[str], images: int, allowed: int) -> None:
        """Say so.

        Args:
            root: The raw folder.
            unlabelled: These images, each with the reason.
            images: Number of all.
            allowed: How many may be without.
        """
        self.unlabelled, self.images = unlabelled, images
        super().__init__(
            f"{root}: {len(unlabelled)} of {images} images have no label, "
            f"ingest.max_bad allows {allowed}: {some(unlabelled)}; complete the copy"
        )


class ImageDatasetOptions(Section):
    """Options of every such data set."""

    blocks: Count = 8
    """Number of blocks that the images are dealt to; each is cropped by one job."""


class ImageDataset(Dataset):
    """Single images, whose names the copy alone knows."""

    Options: ClassVar[type[Section]] = ImageDatasetOptions
    options: ImageDatasetOptions
    crop_options: ClassVar = frozenset({"blocks"})
    digest_whole_folder: ClassVar = True

    def shards(self) -> list[str]:
        return [self._block(number) for number in range(self.options.blocks)]

    def subjects(self) -> list[str]:
        return []

    def expected_sequences(self) -> list[str]:
        return []

    def version_of(self, shard: str) -> str:
        return "images"

    def _block(self, number: int) -> str:
        """The block of an image, by any number that stays its own when images are added or removed."""
        return f"block{number % self.options.blocks:03d}"

    def _labels(
        self, root: Path, expressions: Iterable[tuple[RecordedSequence, str]], unlabelled: list[str]
    ) -> "pd.DataFrame":
        """The table of labels.

        Args:
            root: The raw folder, for the message.
            expressions: The labelled images and their class.
            unlabelled: Images whose label should be there and is not, each with the reason.

        Raises:
            UnlabelledError: More of them than `ingest.max_bad` allows.
        """
        import pandas as pd

        rows = [(image.sequence, image.first_frame, expression) for image, expression in expressions]
        self._allow(root, unlabelled, len(rows) + len(unlabelled))
        return pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})

    def _allow(self, root: Path, unlabelled: list[str], images: int) -> None:
        """Warn of images without a label, or stop where there are too many."""
        if not unlabelled:
            return
        allowed = int(self.params.ingest.max_bad * images)
        if len(unlabelled) > allowed:
            raise UnlabelledError(root, unlabelled, images, allowed)
        log.warning("without a label: %s", some(unlabelled))
