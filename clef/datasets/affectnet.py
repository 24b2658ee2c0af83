"""AffectNet (Mollahosseini et al., IEEE TAC 2017): photographs from the web, one of eight expressions each.

Two releases, told apart by what lies there: the one of 2021 with cropped images and a NumPy file a label
(`affectnet_npy`), and the first one with uncropped images, lists and face boxes (`affectnet_csv`). Its validation
images are the test split: labels of the test images were never given out.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets import affectnet_csv, affectnet_npy
from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import Packaging, PublishedCounts
from clef.datasets.readers.find_root import found_in
from clef.errors import ClefError
from clef.params.schema import Count
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""By code."""
WITHOUT_EXPRESSION = {8: "none", 9: "uncertain", 10: "no face"}
"""Codes of images that are kept and count as unlabelled."""
TRAIN = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)


class AffectNetOptions(ImageDatasetOptions):
    """Options of AffectNet."""

    blocks: Count = 72
    """Number of blocks that the images are dealt to; each is cropped by one job."""
    packaging: Literal["auto", "npy", "csv"] = "auto"
    """Which release to read where both are there; `auto` takes the cropped images with NumPy files."""


class AffectNet(ImageDataset):
    """Either release."""

    Options = AffectNetOptions
    options: AffectNetOptions
    crop_options: ClassVar = frozenset({"blocks", "packaging"})
    all_labelled: ClassVar = True
    label_names: ClassVar = list(EXPRESSIONS)
    published_counts: ClassVar = PublishedCounts(
        source="Mollahosseini et al., IEEE TAC 2017",
        labelled_frames=sum(TRAIN) + 4_000,
        frames_by={"split": {"train": sum(TRAIN), "test": 4_000}},
        classes={
            "train": dict(zip(EXPRESSIONS, TRAIN, strict=True)),
            "test": dict.fromkeys(EXPRESSIONS, 500),
        },
    )

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        return PUBLISHED_NPY if self._npy(root) is not None else self.published_counts

    def packaging(self, root: Path) -> Packaging:
        if (npy := self._npy(root)) is not None:
            found = f"{_place(npy, root)}train_set and val_set, cropped images, a .npy file a label"
            other = _csv_or_none(root)
            also = "" if other is None else f"; also lists in {_folder(other, root)}, which are not used"
            return Packaging("npy", found + also)
        if (lists := self._csv(root)) is not None:
            images = lists.images.relative_to(root)
            found = f"{lists.training.relative_to(root)} and {lists.validation.name}, uncropped images in {images}"
            other_npy = affectnet_npy.find(root)
            also = (
                ""
                if other_npy is None
                else f"; also {_place(other_npy, root)}train_set and val_set, which are not used"
            )
            return Packaging("csv", found + also)
        asked = "" if self.options.packaging == "auto" else f" as {self.options.packaging}"
        raise ClefError(
            f"{root}: {found_in(root)}; expected AffectNet{asked}: train_set and val_set, each with images and "
            "annotations, or training.csv and validation.csv with the folder Manually_Annotated; put or link the copy "
            "there"
        )

    def _npy(self, root: Path) -> Path | None:
        """The release of 2021, where it is there and wanted."""
        return None if self.options.packaging == "csv" else affectnet_npy.find(root)

    def _csv(self, root: Path) -> affectnet_csv.Lists | None:
        """The first release, likewise."""
        return None if self.options.packaging == "npy" else affectnet_csv.find(root)

    def sequences(self, root: Path) -> list[RecordedSequence]:
        if (npy := self._npy(root)) is not None:
            found = affectnet_npy.images(npy)
        elif (lists := self._csv(root)) is not None:
            found = affectnet_csv.images(lists)
        else:
            return []
        images = [
            RecordedSequence(
                dataset=self.name,
                sequence=image.name,
                subject=None,
                activity=None,
                split=image.split,
                shard=self._block(image.number),
                kind="image",
                source=image.path.relative_to(root).as_posix(),
                first_frame=0,
                box=image.box,
            )
            for image in found
        ]
        return sorted(images, key=lambda image: (image.shard, image.sequence))

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        if (npy := self._npy(root)) is not None:
            there = affectnet_npy.image_files(npy)
        elif (lists := self._csv(root)) is not None:
            there = affectnet_csv.image_files(lists)
        else:
            return []
        known = {sequence.source for sequence in sequences}
        prefix = f"{root}/"
        return sorted(found for path in there if (found := path.removeprefix(prefix)) not in known)

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        if self._npy(root) is not None:
            coded = affectnet_npy.codes(root, sequences)
        elif (lists := self._csv(root)) is not None:
            coded = affectnet_csv.codes(lists, sequences)
        else:
            raise ClefError(f"{root}: {found_in(root)}; expected AffectNet")
        labelled, unlabelled = [], []
        for sequence, code, problem in coded:
            if code is None:
                unlabelled.append(f"{sequence.source} ({problem})")
            elif 0 <= code < len(EXPRESSIONS):
                labelled.append((sequence, EXPRESSIONS[code]))
            elif code not in WITHOUT_EXPRESSION:
                last = max(chain(range(len(EXPRESSIONS)), WITHOUT_EXPRESSION))
                raise ClefError(f"{root / sequence.source}: class {code}; expected 0 to {last}")
        return self._labels(root, labelled, unlabelled)


PUBLISHED_NPY = replace(
    AffectNet.published_counts,
    source="Mollahosseini et al., IEEE TAC 2017, less one validation image that the release of 2021 lacks",
    labelled_frames=sum(TRAIN) + 3_999,
    frames_by={"split": {"train": sum(TRAIN), "test": 3_999}},
    classes={
        "train": dict(zip(EXPRESSIONS, TRAIN, strict=True)),
        "test": dict.fromkeys(EXPRESSIONS, 500) | {"contempt": 499},
    },
)


def _csv_or_none(root: Path) -> affectnet_csv.Lists | None:
    """The first release beside another; half of one does not matter."""
    try:
        return affectnet_csv.find(root)
    except ClefError:
        return None


def _folder(lists: affectnet_csv.Lists, root: Path) -> str:
    return lists.training.parent.relative_to(root).as_posix()


def _place(folder: Path, root: Path) -> str:
    return "" if folder == root else f"{folder.relative_to(root)}/: "


ADAPTER = AffectNet
