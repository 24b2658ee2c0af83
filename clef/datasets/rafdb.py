"""RAF-DB, the basic set (Li et al., CVPR 2017): photographs from the web, one of seven expressions each.

EmoLabel/list_patition_label.txt           train_00001.jpg 5
Image/aligned/train_00001_aligned.jpg      100 x 100 pixels, cropped
Image/original/train_00001.jpg             as found on the web
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import Packaging, PublishedCounts
from clef.datasets.readers.find_root import find_folder, found_in
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt")
"""The name is spelt so; some copies have it mended."""
EXPRESSIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""By code, which counts from 1."""
ENTRY = re.compile(r"((train|test)_(\d+))\.jpg\s+(\d+)")
TRAIN = (1290, 281, 717, 4772, 1982, 705, 2524)
TEST = (329, 74, 160, 1185, 478, 162, 680)


class RafDbOptions(ImageDatasetOptions):
    """Options of RAF-DB."""

    images: Literal["aligned", "original"] = "aligned"
    """`aligned`: cropped already, for `crop: {detector: none}`; `original`: for a detector."""


class RafDb(ImageDataset):
    """The basic set."""

    Options = RafDbOptions
    options: RafDbOptions
    crop_options: ClassVar = frozenset({"blocks", "images"})
    all_labelled: ClassVar = True
    label_names: ClassVar = list(EXPRESSIONS)
    published_counts: ClassVar = PublishedCounts(
        source="Li et al., CVPR 2017; list_patition_label.txt",
        sequences=sum(TRAIN) + sum(TEST),
        labelled_frames=sum(TRAIN) + sum(TEST),
        frames_by={"split": {"train": sum(TRAIN), "test": sum(TEST)}},
        classes={
            "train": dict(zip(EXPRESSIONS, TRAIN, strict=True)),
            "test": dict(zip(EXPRESSIONS, TEST, strict=True)),
        },
    )

    def packaging(self, root: Path) -> Packaging:
        base = self._base(root)
        wanted = self.options.images
        if not (base / "Image" / wanted).is_dir():
            other = "original" if wanted == "aligned" else "aligned"
            there = (base / "Image" / other).is_dir()
            hint = f"Image/{other} is there: say `options: {{images: {other}}}`" if there else "complete the copy"
            raise ClefError(f"{base}: no folder Image/{wanted}, which the run wants; {hint}")
        if wanted == "original" and self.params.crop.detector == "none":
            raise ClefError(
                f"{base}: Image/original is not cropped, and crop.detector is none; expected a detector such as "
                "retinaface, or `options: {images: aligned}`"
            )
        names = {"aligned": "cropped to 100 x 100 pixels", "original": "uncropped"}
        return Packaging(wanted, f"Image/{wanted}, {names[wanted]}, with {self._list(base).relative_to(root)}")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        base = self._base(root)
        pictures = base / "Image" / self.options.images
        # The list says what there should be; letter case of the names differs between copies.
        files = {name.lower(): name for name in _names(pictures)}
        suffix = "_aligned.jpg" if self.options.images == "aligned" else ".jpg"
        images = []
        for name, split, number, _ in _entries(self._list(base)):
            file = files.get(name + suffix, name + suffix)
            images.append(
                RecordedSequence(
                    dataset=self.name,
                    sequence=name,
                    subject=None,
                    activity=None,
                    split=split,
                    shard=self._block(number),
                    kind="image",
                    source=(pictures / file).relative_to(root).as_posix(),
                    first_frame=0,
                )
            )
        return sorted(images, key=lambda image: (image.shard, image.sequence))

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        pictures = self._base(root) / "Image" / self.options.images
        folder = pictures.relative_to(root).as_posix()
        return sorted({f"{folder}/{name}" for name in _names(pictures)} - {image.source for image in sequences})

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        code_of = {name: code for name, _, _, code in _entries(self._list(self._base(root)))}
        labelled = [(image, EXPRESSIONS[code_of[image.sequence] - 1]) for image in sequences]
        return self._labels(root, labelled, [])

    def _base(self, root: Path) -> Path:
        for name in LISTS:
            base = find_folder(root, [name])
            if base is not None:
                return base
        raise ClefError(
            f"{root}: {found_in(root)}; expected RAF-DB's basic set: {LISTS[0]} and Image/{self.options.images}; "
            "put or link the copy there"
        )

    def _list(self, base: Path) -> Path:
        return next(base / name for name in LISTS if (base / name).exists())


def _entries(path: Path) -> list[tuple[str, str, int, int]]:
    """Name without suffix, split, number and code of each image of the list.

    Raises:
        ClefError: The file cannot be read, a line is not as expected, or an image stands twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the text is not UTF-8"
        raise ClefError(f"{path}: cannot be read ({reason}); expected lines such as `train_00001.jpg 5`") from None
    entries: dict[str, tuple[str, str, int, int]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = ENTRY.fullmatch(line.strip())
        if match is None or not 1 <= int(match[4]) <= len(EXPRESSIONS):
            raise ClefError(
                f"{path}: line {number}: {line[:60]!r}; expected an image and a class 1 to {len(EXPRESSIONS)}, such as "
                "`train_00001.jpg 5`; restore the list"
            )
        if match[1] in entries:
            raise ClefError(f"{path}: line {number}: {match[1]}.jpg stands twice; expected one line an image")
        entries[match[1]] = (match[1], match[2], int(match[3]), int(match[4]))
    if not entries:
        raise ClefError(f"{path}: no lines; expected one an image, such as `train_00001.jpg 5`; restore it")
    return list(entries.values())


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise ClefError(f"{folder}: cannot be listed ({error.strerror}); complete the copy") from None


ADAPTER = RafDb
