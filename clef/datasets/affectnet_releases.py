"""The two releases of AffectNet.

2021: cropped images named by number, and one NumPy file per label. Numbers have gaps, and the same number in both
sets is two different images.

train_set/images/0.jpg    train_set/annotations/0_exp.npy
val_set/images/0.jpg      val_set/annotations/0_exp.npy

First: uncropped images, and lists with face boxes and classes. The lists start with the header
`subDirectory_filePath,face_x,face_y,face_width, ...`, which some copies lack.

Manually_Annotated_file_lists/training.csv, validation.csv
Manually_Annotated/Manually_Annotated_Images/689/{56 hexadecimal digits}.jpg, .JPG, .png, .bmp, .tif ...
"""

import io
import logging
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.image_dataset import ListedImage
from clef.datasets.readers.csv_file import read_columns, read_header
from clef.datasets.readers.find_folders import file_names, find_folder, relative
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FOLDERS = {"train": "train_set", "test": "val_set"}
IMAGE = re.compile(r"(\d+)\.(?:jpe?g|png|bmp|tiff?)", re.IGNORECASE)
LABEL = re.compile(r"(\d+)_exp\.npy")
READERS = 8
"""Threads that read label files; there are about 300,000."""
IMAGES_PER_TASK = 1000

PATH, CLASS = "subDirectory_filePath", "expression"
BOX = ["face_x", "face_y", "face_width", "face_height"]
COLUMNS = [PATH, *BOX, "facial_landmarks", CLASS, "valence", "arousal"]
IMAGE_FOLDERS = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
    "Manually_Annotated_compressed",
)
SAFE_PATH = re.compile(r"[\w-]+/[\w-][\w.-]*")
"""A folder and a file, which cannot lead out of the folder of images."""
NO_FACE = (0, 0, 0, 0)
UNKNOWN, TWO_CLASSES = -1, -2
PROBLEMS = {UNKNOWN: "no class in the list", TWO_CLASSES: "two classes in the list"}

Code = tuple[RecordedSequence, int | None, str | None]
"""An image, its class code, and why it has none."""


@dataclass(frozen=True)
class NpyRelease:
    """A copy of the release of 2021."""

    base: Path
    """Folder with both sets."""
    name = "npy"

    @classmethod
    def find(cls, root: Path) -> "NpyRelease | None":
        base = find_folder(root, list(FOLDERS.values()))
        return None if base is None else cls(base)

    def description(self, root: Path) -> str:
        """Describe the copy on one line."""
        return f"{relative(self.base / 'train_set', root)} and val_set, cropped images, a .npy file per label"

    def images(self) -> Iterator[ListedImage]:
        """List the images, including missing ones that have a label."""
        for split, folder in FOLDERS.items():
            pictures = self.base / folder / "images"
            files = _by_number(pictures, IMAGE)
            labels = _by_number(pictures.with_name("annotations"), LABEL)
            for number in sorted(files.keys() | labels.keys()):
                path = pictures / files.get(number, f"{number}.jpg")
                yield ListedImage(split, f"{split}_{number}", number, path)

    def image_files(self) -> Iterator[str]:
        """List the paths in the image folders."""
        for folder in FOLDERS.values():
            pictures = self.base / folder / "images"
            yield from (f"{pictures}/{name}" for name in file_names(pictures))

    def codes(self, sequences: Iterable[RecordedSequence]) -> Iterator[Code]:
        """Read the class codes of images."""
        folders = {split: self.base / folder / "annotations" for split, folder in FOLDERS.items()}
        files = {split: _by_number(folder, LABEL) for split, folder in folders.items()}

        def read(images: list[RecordedSequence]) -> list[Code]:
            return [(image, *_read_code(folders[str(image.split)], files[str(image.split)], image)) for image in images]

        listed = list(sequences)
        tasks = (listed[start : start + IMAGES_PER_TASK] for start in range(0, len(listed), IMAGES_PER_TASK))
        with ThreadPoolExecutor(READERS) as threads:
            for codes in threads.map(read, tasks):
                yield from codes


def _by_number(folder: Path, pattern: re.Pattern[str]) -> dict[int, str]:
    """File names by number; zero padding may differ between images and labels."""
    files: dict[int, str] = {}
    for name in sorted(file_names(folder)):
        if match := pattern.fullmatch(name):
            number = int(match[1])
            if number in files:
                raise ClefError(f"{folder}: {files[number]} and {name} both have number {number}; remove one")
            files[number] = name
    return files


def _read_code(folder: Path, files: dict[int, str], image: RecordedSequence) -> tuple[int | None, str | None]:
    """Read the class code of an image, or say why it has none."""
    number = int(Path(image.source).stem)
    file = files.get(number)
    if file is None:
        return None, f"no {number}_exp.npy"
    try:
        with open(os.path.join(folder, file), "rb") as opened:
            return _code(opened.read()), None
    except (OSError, ValueError, EOFError):
        return None, f"{file} holds no number"


@lru_cache(maxsize=256)  # there are only as many different files as classes
def _code(content: bytes) -> int:
    """Read the number in an array without dimensions. It may be stored as text."""
    import numpy as np

    value = np.load(io.BytesIO(content), allow_pickle=False).item()
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


@dataclass(frozen=True)
class CsvRelease:
    """A copy of the first release."""

    lists: dict[str, Path]
    """Lists of images by split."""
    image_folder: Path
    name = "csv"

    @classmethod
    def find(cls, root: Path) -> "CsvRelease | None":
        for folder in ("Manually_Annotated_file_lists", "."):
            names = {"train": f"{folder}/training.csv", "test": f"{folder}/validation.csv"}
            base = find_folder(root, list(names.values()))
            if base is None:
                continue
            images = next((base / name for name in IMAGE_FOLDERS if (base / name).is_dir()), None)
            if images is None:
                raise ClefError(
                    f"{base}: lists and no images; expected the folder {IMAGE_FOLDERS[0]}; complete the copy"
                )
            return cls({split: base / name for split, name in names.items()}, images)
        return None

    def description(self, root: Path) -> str:
        """Describe the copy on one line."""
        lists = f"{relative(self.lists['train'], root)} and {self.lists['test'].name}"
        return f"{lists}, uncropped images in {relative(self.image_folder, root)}"

    def images(self) -> Iterator[ListedImage]:
        """List the images of both lists with their boxes, including missing ones."""
        test, train = _read(self.lists["test"]), _read(self.lists["train"])
        in_both = train[PATH].isin(test[PATH])
        if in_both.any():
            log.warning(
                "%s: %d images are in the validation list too; not trained on", self.lists["train"], in_both.sum()
            )
        for split, table in (("train", train[~in_both]), ("test", test)):
            for path, *box in table[[PATH, *BOX]].itertuples(index=False, name=None):
                name = f"{split}_{path.replace('/', '_')}"
                yield ListedImage(split, name, zlib.crc32(path.encode()), self.image_folder / path, _box(box))

    def image_files(self) -> Iterator[str]:
        """List the paths of all files in the folder of images."""
        for folder, _, names in os.walk(self.image_folder):
            yield from (f"{folder}/{name}" for name in names if not name.startswith("."))

    def codes(self, sequences: Iterable[RecordedSequence]) -> Iterator[Code]:
        """Read the class codes of images."""
        code_of = {split: _read(path).set_index(PATH)[CLASS].to_dict() for split, path in self.lists.items()}
        for image in sequences:
            code = code_of[str(image.split)].get("/".join(image.source.split("/")[-2:]), UNKNOWN)
            yield image, None if code in PROBLEMS else code, PROBLEMS.get(code)


def _box(values: Iterable[float]) -> tuple[int, int, int, int]:
    left, top, width, height = values
    if not (width > 0 and height > 0):  # images without a face have -1, or NaN
        return NO_FACE
    return int(left), int(top), int(width), int(height)


def _read(path: Path) -> "pd.DataFrame":
    """Read path, box and class of each image of a list. Images with two classes have `TWO_CLASSES`."""
    import pyarrow as pa

    expected = f"rows of {', '.join(COLUMNS)}"
    header: list[str] | None = read_header(path, expected)
    if header and len(header) == len(COLUMNS) and SAFE_PATH.fullmatch(header[0]):
        header = None
    elif header and set(header) != set(COLUMNS):
        raise ClefError(
            f"{path}: starts with {','.join(header)[:80]!r}; expected {','.join(COLUMNS)}, or an image; restore it"
        )
    types = {PATH: pa.string(), **dict.fromkeys([*BOX, CLASS], pa.float64())}
    table = read_columns(
        path, header or COLUMNS, types, expected, header is not None, nulls=("", "NULL", "null", "NaN", "nan")
    ).to_pandas()
    unsafe = table[PATH][~table[PATH].str.fullmatch(SAFE_PATH.pattern).fillna(False).astype(bool)]
    if len(unsafe):
        raise ClefError(f"{path}: {unsafe.iloc[0]!r} is no image; expected a folder and a file, such as 689/7a3c.jpg")
    table[CLASS] = table[CLASS].fillna(UNKNOWN).astype("int64")
    classes = table.groupby(PATH)[CLASS].transform("nunique")
    table.loc[classes > 1, CLASS] = TWO_CLASSES
    return table.drop_duplicates(PATH)
