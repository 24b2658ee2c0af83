"""AffectNet's first release: uncropped images, and lists with face boxes and classes.

Manually_Annotated_file_lists/training.csv, validation.csv
Manually_Annotated/Manually_Annotated_Images/689/{56 hexadecimal digits}.jpg, .JPG, .png, .bmp, .tif ...

The lists start with the header `subDirectory_filePath,face_x,face_y,face_width, ...`, which some copies lack.
"""

import logging
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.affectnet_npy import Code, ListedImage
from clef.datasets.readers.csv_file import read_columns, read_header
from clef.datasets.readers.find_folders import find_folder, relative
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

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
LIST_FOLDERS = ("Manually_Annotated_file_lists", ".")
SAFE_PATH = re.compile(r"[\w-]+/[\w-][\w.-]*")
"""A folder and a file, which cannot lead out of the folder of images."""
NO_FACE = (0, 0, 0, 0)
UNKNOWN = -1


@dataclass(frozen=True)
class CsvRelease:
    """A copy of this release."""

    lists: dict[str, Path]
    """By split."""
    image_folder: Path
    name = "csv"

    @classmethod
    def find(cls, root: Path) -> "CsvRelease | None":
        """Find a copy in the raw folder."""
        for folder in LIST_FOLDERS:
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

    def location(self, root: Path) -> str:
        """Name the parts of the copy, for messages."""
        return f"lists in {relative(self.lists['train'].parent, root)}"

    def description(self, root: Path) -> str:
        """Describe the copy on one line."""
        training, validation = self.lists["train"], self.lists["test"]
        images = relative(self.image_folder, root)
        return f"{relative(training, root)} and {validation.name}, uncropped images in {images}"

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

    def codes(self, root: Path, sequences: Iterable[RecordedSequence]) -> Iterator[Code]:
        """Read the class codes of images."""
        code_of = {split: _read(path).set_index(PATH)[CLASS].to_dict() for split, path in self.lists.items()}
        for image in sequences:
            code = code_of[str(image.split)].get("/".join(image.source.split("/")[-2:]), UNKNOWN)
            yield image, None if code == UNKNOWN else code, "no class, or two, in the list"


def _box(values: Iterable[float]) -> tuple[int, int, int, int]:
    left, top, width, height = values
    if not (width > 0 and height > 0):  # images without a face have -1, or NaN
        return NO_FACE
    return int(left), int(top), int(width), int(height)


def _read(path: Path) -> "pd.DataFrame":
    """Read path, box and class of each image of a list. Images listed with two classes have class `UNKNOWN`."""
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
    table.loc[classes > 1, CLASS] = UNKNOWN
    return table.drop_duplicates(PATH)
