"""AffectNet's release of 2021: cropped images named by number, and one NumPy file per label.

train_set/images/0.jpg    train_set/annotations/0_exp.npy
val_set/images/0.jpg      val_set/annotations/0_exp.npy

Numbers have gaps. The same number in both sets is two different images.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from clef.datasets.readers.find_folders import file_names, find_folder, relative
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

FOLDERS = {"train": "train_set", "test": "val_set"}
IMAGE = re.compile(r"(\d+)\.(?:jpe?g|png|bmp|tiff?)", re.IGNORECASE)
LABEL = re.compile(r"(\d+)_exp\.npy")
READERS = 8
"""Threads that read label files; there are about 300,000."""
IMAGES_PER_TASK = 1000

Code = tuple[RecordedSequence, int | None, str | None]
"""An image, its class code, and why it has none."""


@dataclass(frozen=True)
class ListedImage:
    """An image of a release, which may be missing."""

    split: str
    name: str
    """Unique in the data set."""
    number: int
    """Determines its block."""
    path: Path
    box: tuple[int, int, int, int] | None = None
    """See `RecordedSequence.box`."""


@dataclass(frozen=True)
class NpyRelease:
    """A copy of this release."""

    base: Path
    """Folder with both sets."""
    name = "npy"

    @classmethod
    def find(cls, root: Path) -> "NpyRelease | None":
        """Find a copy in the raw folder."""
        base = find_folder(root, list(FOLDERS.values()))
        return None if base is None else cls(base)

    def location(self, root: Path) -> str:
        """Name the parts of the copy, for messages."""
        return ("" if self.base == root else f"{relative(self.base, root)}/: ") + "train_set and val_set"

    def description(self, root: Path) -> str:
        """Describe the copy on one line."""
        return f"{self.location(root)}, cropped images, a .npy file per label"

    def images(self) -> Iterator[ListedImage]:
        """List the images, including missing ones that have a label."""
        for split, folder in FOLDERS.items():
            pictures = self.base / folder / "images"
            files = _by_number(pictures, IMAGE, "are both image")
            labels = _by_number(pictures.with_name("annotations"), LABEL, "both label image")
            for number in sorted(files.keys() | labels.keys()):
                path = pictures / files.get(number, f"{number}.jpg")
                yield ListedImage(split, f"{split}_{number}", number, path)

    def image_files(self) -> Iterator[str]:
        """List the paths in the image folders."""
        for folder in FOLDERS.values():
            pictures = self.base / folder / "images"
            yield from (f"{pictures}/{name}" for name in file_names(pictures))

    def codes(self, root: Path, sequences: Iterable[RecordedSequence]) -> Iterator[Code]:
        """Read the class codes of images."""
        listed = list(sequences)
        folders = {_annotations(root, image) for image in listed}
        files = {folder: _by_number(folder, LABEL, "both label image") for folder in folders}
        tasks = (listed[start : start + IMAGES_PER_TASK] for start in range(0, len(listed), IMAGES_PER_TASK))
        with ThreadPoolExecutor(READERS) as threads:
            for codes in threads.map(partial(_read_codes, root, files), tasks):
                yield from codes


def _annotations(root: Path, image: RecordedSequence) -> Path:
    return (root / image.source).parents[1] / "annotations"


def _by_number(folder: Path, pattern: re.Pattern[str], clash: str) -> dict[int, str]:
    """File names by number; zero padding may differ between images and labels."""
    files: dict[int, str] = {}
    for name in sorted(file_names(folder)):
        if match := pattern.fullmatch(name):
            number = int(match[1])
            if number in files:
                raise ClefError(f"{folder}: {files[number]} and {name} {clash} {number}; remove one")
            files[number] = name
    return files


def _read_codes(root: Path, files: dict[Path, dict[int, str]], images: list[RecordedSequence]) -> list[Code]:
    codes: list[Code] = []
    for image in images:
        folder = _annotations(root, image)
        number = int(image.source.rpartition("/")[2].partition(".")[0])
        file = files[folder].get(number)
        if file is None:
            codes.append((image, None, f"no {number}_exp.npy"))
            continue
        try:
            with open(os.path.join(folder, file), "rb") as opened:
                codes.append((image, _code(opened.read()), None))
        except (OSError, ValueError, EOFError):
            codes.append((image, None, f"{file} holds no number"))
    return codes


@lru_cache(maxsize=256)  # there are only as many different files as classes
def _code(content: bytes) -> int:
    """Read the number in an array without dimensions. It may be stored as text."""
    import numpy as np

    value = np.load(io.BytesIO(content), allow_pickle=False).item()
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)
