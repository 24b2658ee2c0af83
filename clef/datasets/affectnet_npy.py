"""AffectNet's release of 2021: cropped images by number, and each label in a NumPy file of its own.

train_set/images/0.jpg    train_set/annotations/0_exp.npy
val_set/images/0.jpg      val_set/annotations/0_exp.npy

Numbers have gaps, and the same one may stand in both sets for two people.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from clef.datasets.readers.find_root import find_folder
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

FOLDERS = {"train": "train_set", "test": "val_set"}
IMAGE = re.compile(r"(\d+)\.(?:jpe?g|png|bmp|tiff?)", re.IGNORECASE)
FILES_AT_ONCE = 8
BLOCK = 1000
LABEL = re.compile(r"(\d+)_exp\.npy")


@dataclass(frozen=True)
class ListedImage:
    """An image that a copy has, or says that it has."""

    split: str
    name: str
    """Unique in the data set."""
    number: int
    """Deals it to a block."""
    path: Path
    box: tuple[int, int, int, int] | None = None
    """As `RecordedSequence.box`."""


def find(root: Path) -> Path | None:
    """The folder that holds both sets, if there is one."""
    return find_folder(root, list(FOLDERS.values()))


def images(base: Path) -> Iterator[ListedImage]:
    """Every image, and every one that has a label and is missing.

    Raises:
        ClefError: A folder is missing, or two images have the same number.
    """
    for split, folder in FOLDERS.items():
        pictures, annotations = base / folder / "images", base / folder / "annotations"
        files: dict[int, str] = {}
        for name in sorted(_names(pictures)):
            if match := IMAGE.fullmatch(name):
                number = int(match[1])
                if number in files:
                    raise ClefError(f"{pictures}: {files[number]} and {name} are both image {number}; remove one")
                files[number] = name
        for number in sorted(files.keys() | _label_files(annotations).keys()):
            path = pictures / files.get(number, f"{number}.jpg")
            yield ListedImage(split, f"{split}_{number}", number, path)


def image_files(base: Path) -> Iterator[str]:
    """Path of everything in the folders of images."""
    for folder in FOLDERS.values():
        pictures = base / folder / "images"
        yield from (f"{pictures}/{name}" for name in _names(pictures))


def codes(
    root: Path, sequences: Iterable[RecordedSequence]
) -> Iterator[tuple[RecordedSequence, int | None, str | None]]:
    """Class of each image, or none and why. Many files are read at once: there are some 300,000."""
    listed = list(sequences)
    folders = {_annotations(root, sequence) for sequence in listed}
    files = {folder: _label_files(folder) for folder in folders}
    with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
        blocks = (listed[start : start + BLOCK] for start in range(0, len(listed), BLOCK))
        for block in threads.map(partial(_codes, root, files), blocks):
            yield from block


def _annotations(root: Path, sequence: RecordedSequence) -> Path:
    """Folder of the labels that belong to an image's folder."""
    return root / sequence.source.rpartition("/")[0].rpartition("/")[0] / "annotations"


def _label_files(annotations: Path) -> dict[int, str]:
    """Names of the files of classes by number, which may be padded otherwise than the image's.

    Raises:
        ClefError: The folder is missing, or two files are of the same number.
    """
    files: dict[int, str] = {}
    for name in sorted(_names(annotations)):
        if match := LABEL.fullmatch(name):
            number = int(match[1])
            if number in files:
                raise ClefError(f"{annotations}: {files[number]} and {name} both label image {number}; remove one")
            files[number] = name
    return files


def _codes(
    root: Path, files: dict[Path, dict[int, str]], sequences: list[RecordedSequence]
) -> list[tuple[RecordedSequence, int | None, str | None]]:
    found: list[tuple[RecordedSequence, int | None, str | None]] = []
    for sequence in sequences:
        annotations = _annotations(root, sequence)
        number = int(sequence.source.rpartition("/")[2].partition(".")[0])
        file = files[annotations].get(number)
        if file is None:
            found.append((sequence, None, f"no {number}_exp.npy"))
            continue
        try:
            with open(f"{annotations}/{file}", "rb") as opened:
                found.append((sequence, _code(opened.read()), None))
        except (OSError, ValueError, EOFError):
            found.append((sequence, None, f"{file} holds no number"))
    return found


@lru_cache(maxsize=256)  # there are as many different files as classes, each some ten thousand times
def _code(content: bytes) -> int:
    """The number in an array without dimensions, which may be stored as text."""
    import numpy as np

    value = np.load(io.BytesIO(content), allow_pickle=False).item()
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise ClefError(
            f"{folder}: cannot be listed ({error.strerror}); expected images and annotations; complete the copy"
        ) from None
