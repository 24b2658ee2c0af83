"""RAF-DB, the basic set (Li et al., CVPR 2017): photographs from the web, each with one of seven expressions.

EmoLabel/list_patition_label.txt                     train_00001.jpg 5
Image/aligned/train_00001_aligned.jpg                100 x 100 pixels, cropped
Image/original/train_00001.jpg                       as found on the web
Annotation/boundingbox/train_00001_boundingbox.txt   left, top, right and bottom of its face; some copies lack them

`readers.class_folders` reads copies with a folder per class.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Packaging
from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions, ListedImage
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.class_folders import ClassFolders
from clef.datasets.readers.csv_file import read_text
from clef.datasets.readers.find_folders import describe, file_names, find_folder, relative
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt")
"""The release misspells the name; some copies correct it."""
EXPRESSIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""Expressions by code, from 1."""
LINE = re.compile(r"((?:train|test)_\d+)\.jpg\s+(\d+)")
EXAMPLE = "`train_00001.jpg 5`"
BOXES = "Annotation/boundingbox"
TRAIN = dict(zip(EXPRESSIONS, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True))
TEST = dict(zip(EXPRESSIONS, (329, 74, 160, 1185, 478, 162, 680), strict=True))


class RafDbOptions(ImageDatasetOptions):
    """Options of RAF-DB."""

    images: Literal["aligned", "original"] = "aligned"
    """`aligned`: already cropped, for `crop: {detector: none}`; `original`: for a detector, or for the annotated boxes.
    A copy with a folder per class has only one kind."""
    classes: list[str] | None = None
    """Names of the classes in the order of their numbers, for a copy with a numbered folder per class."""


class RafDb(ImageDataset):
    """Adapter of RAF-DB."""

    Options = RafDbOptions
    options: RafDbOptions
    crop_options: ClassVar = frozenset({"blocks", "images"})
    all_labelled: ClassVar = True
    label_names: ClassVar = list(EXPRESSIONS)
    published_counts: ClassVar = PublishedCounts.of_classes(
        "Li et al., CVPR 2017; list_patition_label.txt", {"train": TRAIN, "test": TEST}, sequences=15_339
    )

    def packaging(self, root: Path) -> Packaging:
        copy = self._copy(root)
        if isinstance(copy, ClassFolders):
            return Packaging(copy.name, copy.description(root))
        images = self.options.images
        if not copy.folder.is_dir():
            other = "original" if images == "aligned" else "aligned"
            exists = copy.folder.with_name(other).is_dir()
            hint = f"Image/{other} exists: set `options: {{images: {other}}}`" if exists else "complete the copy"
            raise ClefError(f"{copy.base}: no folder Image/{images}, which the run uses; {hint}")
        if images == "original" and self.params.crop.detector == "none" and copy.boxes is None:
            raise ClefError(
                f"{copy.base}: Image/original is not cropped, there is no {BOXES}, and crop.detector is none; expected "
                "a detector such as mtcnn, or `options: {images: aligned}`"
            )
        size = {"aligned": "cropped to 100 x 100 pixels", "original": "uncropped"}[images]
        boxes = "" if copy.boxes is None else f" and {BOXES}"
        return Packaging(images, f"Image/{images}, {size}, with {relative(copy.label_list, root)}{boxes}")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        return self._recordings(root, self._copy(root).images())

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        found = {path.removeprefix(f"{root}/") for path in self._copy(root).image_files()}
        return sorted(found - {image.source for image in sequences})

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        return self._labels(self._copy(root).expressions(root, sequences))

    def _copy(self, root: Path) -> "ListedCopy | ClassFolders":
        for name in LISTS:
            if (base := find_folder(root, [name])) is not None:
                return ListedCopy(base, base / name, self.options.images)
        folders = ClassFolders.find(root, EXPRESSIONS, self.options.classes)
        if folders is None:
            raise ClefError(
                f"{root}: {describe(root)}; expected RAF-DB's basic set: {LISTS[0]} and Image/{self.options.images}, "
                "or train and test with a folder per class; put or link the copy there"
            )
        return folders


@dataclass(frozen=True)
class ListedCopy:
    """A copy of the release."""

    base: Path
    """Folder of all parts."""
    label_list: Path
    kind: str
    """`aligned` or `original`."""

    @property
    def folder(self) -> Path:
        """Folder of the images."""
        return self.base / "Image" / self.kind

    @property
    def boxes(self) -> Path | None:
        """Folder of the boxes, if the images are uncropped and the copy has it."""
        folder = self.base / BOXES
        return folder if self.kind == "original" and folder.is_dir() else None

    def images(self) -> Iterator[ListedImage]:
        """List the images of the list with their boxes, including missing ones."""
        files = {name.lower(): name for name in file_names(self.folder)}  # copies differ in letter case
        suffix = "_aligned.jpg" if self.kind == "aligned" else ".jpg"
        boxes = self.boxes
        for name in _read_list(self.label_list):
            split, _, number = name.partition("_")
            path = self.folder / files.get(name + suffix, name + suffix)
            box = None if boxes is None else _read_box(boxes / f"{name}_boundingbox.txt")
            yield ListedImage(split, name, int(number), path, box)

    def image_files(self) -> Iterator[str]:
        """List the paths of all files in the folder of images."""
        return (f"{self.folder}/{name}" for name in file_names(self.folder))

    def expressions(self, root: Path, images: Iterable[RecordedSequence]) -> Iterator[tuple[RecordedSequence, str]]:
        """Return the class of each image."""
        expression_of = _read_list(self.label_list)
        return ((image, expression_of[image.sequence]) for image in images)


def _read_box(path: Path) -> tuple[int, int, int, int]:
    """Read left, top, right and bottom of a face, and return its left, top, width and height."""
    expected = "left, top, right and bottom of the face"
    text = read_text(path, expected)
    try:
        left, top, right, bottom = (round(float(number)) for number in text.split())
    except (ValueError, OverflowError):
        left = top = right = bottom = 0
    if left >= right or top >= bottom:
        raise ClefError(f"{path}: {text.strip()[:60]!r}; expected {expected}; restore it")
    return left, top, right - left, bottom - top


def _read_list(path: Path) -> dict[str, str]:
    """Read the expression of each image, by name without suffix."""
    images: dict[str, str] = {}
    for number, line in enumerate(read_text(path, f"lines such as {EXAMPLE}").splitlines(), start=1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line.strip())
        if match is None or not 1 <= int(match[2]) <= len(EXPRESSIONS):
            raise ClefError(
                f"{path}: line {number}: {line[:60]!r}; expected an image and a class 1 to {len(EXPRESSIONS)}, such as "
                f"{EXAMPLE}; restore the list"
            )
        if match[1] in images:
            raise ClefError(
                f"{path}: line {number}: {match[1]}.jpg appears twice, with class {match[2]} and before with "
                f"{EXPRESSIONS.index(images[match[1]]) + 1}; expected one line per image; remove the wrong one"
            )
        images[match[1]] = EXPRESSIONS[int(match[2]) - 1]
    if not images:
        raise ClefError(f"{path}: no lines; expected one per image, such as {EXAMPLE}; restore it")
    return images


ADAPTER = RafDb
