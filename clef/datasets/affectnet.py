"""AffectNet (Mollahosseini et al., IEEE TAC 2017): photographs from the web, each with one of eight expressions.

`affectnet_releases` reads the two releases, `readers.class_folders` copies with a folder per class. The validation
images are the test split, because the labels of the test images were not published.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.affectnet_releases import CsvRelease, NpyRelease
from clef.datasets.base import Packaging
from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.class_folders import ClassFolders
from clef.datasets.readers.find_folders import describe
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
    packaging: Literal["auto", "npy", "csv", "folders"] = "auto"
    """Packaging to read if a copy has several; `auto` prefers `npy`, then `csv`."""
    classes: list[str] | None = None
    """Names of the classes in the order of their numbers, for a copy with a numbered folder per class."""


class AffectNet(ImageDataset):
    """Adapter of both releases, and of copies with a folder per class."""

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
        return self.published_counts if isinstance(self._release(root), CsvRelease) else PUBLISHED_NPY

    def packaging(self, root: Path) -> Packaging:
        release = self._release(root)
        return Packaging(release.name, release.description(root))

    def _release(self, root: Path) -> NpyRelease | CsvRelease | ClassFolders:
        packaging = self.options.packaging
        found: NpyRelease | CsvRelease | ClassFolders | None = None
        if packaging in ("auto", "npy"):
            found = NpyRelease.find(root)
        if found is None and packaging in ("auto", "csv"):
            found = CsvRelease.find(root)
        if found is None and packaging in ("auto", "folders"):
            found = ClassFolders.find(root, EXPRESSIONS, self.options.classes)
        if found is None:
            wanted = "" if packaging == "auto" else f" as {packaging}"
            raise ClefError(
                f"{root}: {describe(root)}; expected AffectNet{wanted}: train_set and val_set, each with images and "
                "annotations, or training.csv and validation.csv with the folder Manually_Annotated, or train and val "
                "with a folder per class; put or link the copy there"
            )
        return found

    def sequences(self, root: Path) -> list[RecordedSequence]:
        return self._recordings(root, self._release(root).images())

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        found = {path.removeprefix(f"{root}/") for path in self._release(root).image_files()}
        return sorted(found - {image.source for image in sequences})

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        release = self._release(root)
        if isinstance(release, ClassFolders):
            return self._labels(release.expressions(root, sequences))
        labelled, unlabelled = [], []
        for image, code, problem in release.codes(sequences):
            if code is None:
                unlabelled.append(f"{image.source} ({problem})")
            elif 0 <= code < len(EXPRESSIONS):
                labelled.append((image, EXPRESSIONS[code]))
            elif code not in WITHOUT_EXPRESSION:
                raise ClefError(f"{root / image.source}: class {code}; expected 0 to {max(WITHOUT_EXPRESSION)}")
        return self._labels(labelled, unlabelled)


PUBLISHED_NPY = PublishedCounts.of_classes(
    "Mollahosseini et al., IEEE TAC 2017, without one validation image that the release of 2021 lacks",
    {"train": TRAIN, "test": TEST | {"contempt": 499}},
)


ADAPTER = AffectNet
