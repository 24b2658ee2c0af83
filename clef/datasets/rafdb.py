"""RAF-DB, the basic set (Li et al., CVPR 2017): photographs from the web, each with one of seven expressions.

EmoLabel/list_patition_label.txt           train_00001.jpg 5
Image/aligned/train_00001_aligned.jpg      100 x 100 pixels, cropped
Image/original/train_00001.jpg             as found on the web
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Packaging, sort_by_shard
from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import PublishedCounts
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
TRAIN = dict(zip(EXPRESSIONS, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True))
TEST = dict(zip(EXPRESSIONS, (329, 74, 160, 1185, 478, 162, 680), strict=True))


class RafDbOptions(ImageDatasetOptions):
    """Options of RAF-DB."""

    images: Literal["aligned", "original"] = "aligned"
    """`aligned`: already cropped, for `crop: {detector: none}`; `original`: for a detector."""


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
        label_list = self._list(root)
        images = self.options.images
        if not self._image_folder(root).is_dir():
            other = "original" if images == "aligned" else "aligned"
            exists = self._image_folder(root).with_name(other).is_dir()
            hint = f"Image/{other} exists: set `options: {{images: {other}}}`" if exists else "complete the copy"
            raise ClefError(f"{label_list.parents[1]}: no folder Image/{images}, which the run uses; {hint}")
        if images == "original" and self.params.crop.detector == "none":
            raise ClefError(
                f"{label_list.parents[1]}: Image/original is not cropped, and crop.detector is none; expected a "
                "detector such as retinaface, or `options: {images: aligned}`"
            )
        size = {"aligned": "cropped to 100 x 100 pixels", "original": "uncropped"}[images]
        return Packaging(images, f"Image/{images}, {size}, with {relative(label_list, root)}")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        folder = self._image_folder(root)
        files = {name.lower(): name for name in file_names(folder)}  # copies differ in letter case
        suffix = "_aligned.jpg" if self.options.images == "aligned" else ".jpg"
        images = []
        for name in _read_list(self._list(root)):
            split, _, number = name.partition("_")
            source = relative(folder / files.get(name + suffix, name + suffix), root)
            images.append(self._recording(name, self._block(int(number)), "image", source, 0, split=split))
        return sort_by_shard(images)

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        folder = self._image_folder(root)
        found = {f"{relative(folder, root)}/{name}" for name in file_names(folder)}
        return sorted(found - {image.source for image in sequences})

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        expression_of = _read_list(self._list(root))
        return self._labels(root, [(image, expression_of[image.sequence]) for image in sequences], [])

    def _list(self, root: Path) -> Path:
        for name in LISTS:
            if (base := find_folder(root, [name])) is not None:
                return base / name
        raise ClefError(
            f"{root}: {describe(root)}; expected RAF-DB's basic set: {LISTS[0]} and Image/{self.options.images}; "
            "put or link the copy there"
        )

    def _image_folder(self, root: Path) -> Path:
        return self._list(root).parents[1] / "Image" / self.options.images


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
            raise ClefError(f"{path}: line {number}: {match[1]}.jpg appears twice; expected one line per image")
        images[match[1]] = EXPRESSIONS[int(match[2]) - 1]
    if not images:
        raise ClefError(f"{path}: no lines; expected one per image, such as {EXAMPLE}; restore it")
    return images


ADAPTER = RafDb
