"""AffectNet (Mollahosseini et al., IEEE TAC 2017): photographs from the web, each with one of eight expressions.

`affectnet_releases` reads the two releases. The validation images are the test split, because the labels of the test
images were not published.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.affectnet_releases import CsvRelease, NpyRelease
from clef.datasets.base import Packaging, sort_by_shard
from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.find_folders import describe, relative
from clef.errors import ClefError
from clef.params.schema import Count
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""By code."""
WITHOUT_EXPRESSION = {8: "none", 9: "uncertain", 10: "no face"}
"""Codes of images that are kept as unlabelled."""
TRAIN = dict(zip(EXPRESSIONS, (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750), strict=True))
TEST = dict.fromkeys(EXPRESSIONS, 500)


class AffectNetOptions(ImageDatasetOptions):
    """Options of AffectNet."""

    blocks: Count = 72
    """Number of blocks of images; each is cropped by one job."""
    packaging: Literal["auto", "npy", "csv"] = "auto"
    """Release to read if a copy has both; `auto` takes the cropped images with NumPy files."""


class AffectNet(ImageDataset):
    """Adapter of both releases."""

    Options = AffectNetOptions
    options: AffectNetOptions
    crop_options: ClassVar = frozenset({"blocks", "packaging"})
    all_labelled: ClassVar = True
    label_suffixes: ClassVar = ("_exp.npy", ".csv")
    label_names: ClassVar = list(EXPRESSIONS)
    published_counts: ClassVar = PublishedCounts.of_classes(
        "Mollahosseini et al., IEEE TAC 2017", {"train": TRAIN, "test": TEST}
    )

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        return PUBLISHED_NPY if isinstance(self._find(root), NpyRelease) else self.published_counts

    def packaging(self, root: Path) -> Packaging:
        release = self._release(root)
        other = _other_release(release, root)
        unused = "" if other is None else f"; also {other.description(root)}, which are not used"
        return Packaging(release.name, release.description(root) + unused)

    def _find(self, root: Path) -> NpyRelease | CsvRelease | None:
        packaging = self.options.packaging
        found = None if packaging == "csv" else NpyRelease.find(root)
        return found if found or packaging == "npy" else CsvRelease.find(root)

    def _release(self, root: Path) -> NpyRelease | CsvRelease:
        release = self._find(root)
        if release is None:
            packaging = "" if self.options.packaging == "auto" else f" as {self.options.packaging}"
            raise ClefError(
                f"{root}: {describe(root)}; expected AffectNet{packaging}: train_set and val_set, each with images and "
                "annotations, or training.csv and validation.csv with the folder Manually_Annotated; put or link the "
                "copy there"
            )
        return release

    def sequences(self, root: Path) -> list[RecordedSequence]:
        release = self._find(root)
        return sort_by_shard(
            self._recording(
                image.name,
                self._block(image.number),
                "image",
                relative(image.path, root),
                first_frame=0,
                split=image.split,
                box=image.box,
            )
            for image in (release.images() if release else ())
        )

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        release = self._find(root)
        known = {image.source for image in sequences}
        names = (path.removeprefix(f"{root}/") for path in (release.image_files() if release else ()))
        return sorted(name for name in names if name not in known)

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        labelled, unlabelled = [], []
        for image, code, problem in self._release(root).codes(root, sequences):
            if code is None:
                unlabelled.append(f"{image.source} ({problem})")
            elif 0 <= code < len(EXPRESSIONS):
                labelled.append((image, EXPRESSIONS[code]))
            elif code not in WITHOUT_EXPRESSION:
                raise ClefError(f"{root / image.source}: class {code}; expected 0 to {max(WITHOUT_EXPRESSION)}")
        return self._labels(root, labelled, unlabelled)


PUBLISHED_NPY = PublishedCounts.of_classes(
    "Mollahosseini et al., IEEE TAC 2017, without one validation image that the release of 2021 lacks",
    {"train": TRAIN, "test": TEST | {"contempt": 499}},
)


def _other_release(used: NpyRelease | CsvRelease, root: Path) -> NpyRelease | CsvRelease | None:
    if isinstance(used, CsvRelease):
        return NpyRelease.find(root)
    try:
        return CsvRelease.find(root)
    except ClefError:  # lists without images
        return None


ADAPTER = AffectNet
