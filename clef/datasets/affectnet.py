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
"""Expressions by code."""
WITHOUT_EXPRESSION = {8: "none", 9: "uncertain", 10: "no face"}
"""Codes of images that are kept as unlabelled."""
TRAIN = dict(zip(EXPRESSIONS, (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750), strict=True))
TEST = dict.fromkeys(EXPRESSIONS, 500)


class AffectNetOptions(ImageDatasetOptions):
    """Options of AffectNet."""

    blocks: Count = 72
    """Number of blocks of images; each is cropped by one job."""
    packaging: Literal["auto", "npy", "csv"] = "auto"
    """Packaging to read if a copy has both; `auto` selects the cropped images with NumPy files."""


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
        return PUBLISHED_NPY if isinstance(self._release(root), NpyRelease) else self.published_counts

    def packaging(self, root: Path) -> Packaging:
        release = self._release(root)
        return Packaging(release.name, release.description(root))

    def _release(self, root: Path) -> NpyRelease | CsvRelease:
        packaging = self.options.packaging
        found: NpyRelease | CsvRelease | None = None if packaging == "csv" else NpyRelease.find(root)
        if found is None and packaging != "npy":
            found = CsvRelease.find(root)
        if found is None:
            wanted = "" if packaging == "auto" else f" as {packaging}"
            raise ClefError(
                f"{root}: {describe(root)}; expected AffectNet{wanted}: train_set and val_set, each with images and "
                "annotations, or training.csv and validation.csv with the folder Manually_Annotated; put or link the "
                "copy there"
            )
        return found

    def sequences(self, root: Path) -> list[RecordedSequence]:
        return sort_by_shard(
            self._recording(name, self._block(number), "image", relative(path, root), 0, split=split, box=box)
            for split, name, number, path, box in self._release(root).images()
        )

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        found = {path.removeprefix(f"{root}/") for path in self._release(root).image_files()}
        return sorted(found - {image.source for image in sequences})

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        labelled, unlabelled = [], []
        for image, code, problem in self._release(root).codes(sequences):
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


ADAPTER = AffectNet
