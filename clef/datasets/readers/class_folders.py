"""Copies of image data sets with a folder per class, named by the class or by a number.

train/3/0.jpg, val/3/0.jpg                 copies of AffectNet
train/1/train_00001_aligned.jpg            copies of RAF-DB
train/angry/0.jpg, test/angry/0.jpg        copies of FER2013

Copies of one data set number its classes differently, so the numbers mean nothing without a list of names.
"""

import filecmp
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clef.datasets.image_dataset import ListedImage
from clef.datasets.readers.find_folders import file_names, find_folders, folders_in, only_one, relative
from clef.errors import ClefError, abbreviate
from clef.params.schema import ParamsError
from clef.recordings.numbered_images import IMAGE_SUFFIXES
from clef.recordings.sequence import RecordedSequence

SPLITS = {
    "train": re.compile("train", re.IGNORECASE),
    "test": re.compile("test|val|valid|validation", re.IGNORECASE),
}
NOUNS = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
"""Other names of classes."""


def class_names(found: Collection[str], classes: Sequence[str] | None, where: str) -> dict[str, str]:
    """Return the names of those classes that are numbers.

    Args:
        found: Classes as a copy states them, names or numbers.
        classes: Names in the order of the numbers, from `dataset.options.classes`.
        where: Start of the message if the names are missing or too many.
    """
    numbers = sorted({int(name) for name in found if name.isdecimal()})
    if numbers and len(classes or ()) != len(numbers):
        listed = abbreviate(list(map(str, numbers)), 12)
        given = f"lists {len(classes)} names" if classes else "does not name them"
        raise ClefError(
            f"{where}: classes are numbered {listed}, and dataset.options.classes {given}; expected the names in the "
            "order of the numbers: look them up where the copy is from, since copies differ"
        )
    name_of = dict(zip(numbers, classes or (), strict=bool(numbers)))
    return {name: name_of[int(name)] for name in found if name.isdecimal()}


def _find_splits(root: Path) -> dict[str, Path] | None:
    """Find the folder of each split, side by side somewhere below `root`."""
    if not root.is_dir():
        return None
    found = find_folders(root, SPLITS)
    base = only_one([folder for folder in found["train"] if folder in found["test"]], root, "train and test")
    if base is None:
        return None
    splits = {}
    for split, pattern in SPLITS.items():
        matching = [folder for folder in folders_in(base) if pattern.fullmatch(folder.name)]
        splits[split] = only_one(matching, root, f"images of the split {split}")
    return {split: folder for split, folder in splits.items() if folder} if all(splits.values()) else None


@dataclass(frozen=True)
class ClassFolders:
    """A copy with a folder per split, and in it a folder per class."""

    splits: dict[str, Path]
    class_of: dict[str, str]
    """By name of the folder."""
    name = "folders"

    @classmethod
    def find(cls, root: Path, known: Sequence[str], classes: Sequence[str] | None) -> "ClassFolders | None":
        """Find the folders of a copy whose classes have `known` names, or numbers in the order of `classes`."""
        splits = _find_splits(root)
        if splits is None:
            return None
        names = {below.name for folder in splits.values() for below in folders_in(folder)}
        class_of = {name: noun for name in names if (noun := NOUNS.get(name.lower(), name.lower())) in known}
        unknown = sorted(name for name in names - class_of.keys() if not name.isdecimal())
        if names == set(unknown):
            return None
        if unknown:
            raise ClefError(
                f"{root}: a folder {unknown[0]} among those of classes; expected numbers or {', '.join(known)}; move "
                "it out of this folder"
            )
        if wrong := next((name for name in classes or () if name not in known), None):
            raise ParamsError(f"dataset.options.classes: no class {wrong}; expected some of {', '.join(known)}")
        return cls(splits, class_of | class_names(names - class_of.keys(), classes, str(root)))

    def description(self, root: Path) -> str:
        """Describe the copy on one line."""
        named = ", ".join(f"{name} {self.class_of[name]}" for name in sorted(self.class_of))
        return f"{' and '.join(relative(folder, root) for folder in self.splits.values())}, a folder per class: {named}"

    def images(self) -> Iterator[ListedImage]:
        """List the images."""
        for split, folder in self.splits.items():
            for below in folders_in(folder):
                for file in sorted(file_names(below)):
                    name = f"{split}_{below.name}_{file}"
                    if Path(file).suffix.lower() in IMAGE_SUFFIXES:
                        yield ListedImage(split, name, zlib.crc32(name.encode()), below / file)

    def image_files(self) -> Iterator[str]:
        """List the paths of all files in the folders of classes."""
        for below in (below for folder in self.splits.values() for below in folders_in(folder)):
            yield from (f"{below}/{name}" for name in file_names(below))

    def expressions(self, root: Path, images: Iterable[RecordedSequence]) -> Iterator[tuple[RecordedSequence, str]]:
        """Return the class of each image, or raise a `ClefError` if an image is in two classes of a split."""
        first: dict[tuple[str | None, str], str] = {}
        for image in images:
            *_, folder, file = image.source.split("/")
            other = first.setdefault((image.split, file), image.source)
            if other != image.source and filecmp.cmp(root / other, root / image.source, shallow=False):
                both = " and ".join(sorted((other, image.source)))
                raise ClefError(
                    f"{root}: {both} are the same picture with two classes; expected one; remove the wrong one"
                )
            yield image, self.class_of[folder]
