"""AffectNet's first release: lists of images with face boxes and classes.

Manually_Annotated_file_lists/training.csv, validation.csv
Manually_Annotated/Manually_Annotated_Images/689/{56 hexadecimal digits}.jpg, .JPG, .png, .bmp, .tif ...

The lists begin with the line `subDirectory_filePath,face_x,face_y,face_width, ...`, which some copies lack.
"""

import logging
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.affectnet_npy import ListedImage
from clef.datasets.readers.find_root import find_folder
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

COLUMNS = [
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
]
PATH, BOX, CLASS = COLUMNS[0], COLUMNS[1:5], COLUMNS[6]
IMAGE_FOLDERS = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
    "Manually_Annotated_compressed",
)
LIST_FOLDERS = ("Manually_Annotated_file_lists", ".")
SAFE = re.compile(r"[\w-]+/[\w-][\w.-]*")
NO_FACE = (0, 0, 0, 0)
UNKNOWN = -1


@dataclass(frozen=True)
class Lists:
    """Where the parts of a copy are."""

    training: Path
    validation: Path
    images: Path

    def by_split(self) -> dict[str, Path]:
        """The list of each split."""
        return {"train": self.training, "test": self.validation}


def find(root: Path) -> Lists | None:
    """The lists and the folder of images, if there are such.

    Raises:
        ClefError: Lists without images.
    """
    for folder in LIST_FOLDERS:
        base = find_folder(root, [f"{folder}/training.csv", f"{folder}/validation.csv"])
        if base is None:
            continue
        images = next((base / place for place in IMAGE_FOLDERS if (base / place).is_dir()), None)
        if images is None:
            raise ClefError(f"{base}: lists and no images; expected the folder {IMAGE_FOLDERS[0]}; complete the copy")
        return Lists(base / folder / "training.csv", base / folder / "validation.csv", images)
    return None


def images(lists: Lists) -> Iterator[ListedImage]:
    """Every image of both lists. Whether it is there is not asked.

    Raises:
        ClefError: A list is not as expected.
    """
    tested = _read(lists.validation)
    trained = _read(lists.training)
    both = trained[PATH].isin(tested[PATH])
    if both.any():
        log.warning("%s: %d images stand in the validation list too; not trained on", lists.training, both.sum())
    for split, table in (("train", trained[~both]), ("test", tested)):
        for path, *box in table[[PATH, *BOX]].itertuples(index=False, name=None):
            yield ListedImage(
                split, f"{split}_{path.replace('/', '_')}", zlib.crc32(path.encode()), lists.images / path, _box(box)
            )


def image_files(lists: Lists) -> Iterator[str]:
    """Path of every file below the folder of images."""
    for folder, _, names in os.walk(lists.images):
        yield from (f"{folder}/{name}" for name in names if not name.startswith("."))


def codes(
    lists: Lists, sequences: Iterable[RecordedSequence]
) -> Iterator[tuple[RecordedSequence, int | None, str | None]]:
    """Class of each image, or none and why: a file may stand in a list twice, with two classes."""
    class_of = {split: _read(path).set_index(PATH)[CLASS].to_dict() for split, path in lists.by_split().items()}
    for sequence in sequences:
        code = class_of[str(sequence.split)].get("/".join(sequence.source.split("/")[-2:]), UNKNOWN)
        yield sequence, None if code == UNKNOWN else code, "no class, or two, in the list"


def _box(values: Iterable[float]) -> tuple[int, int, int, int]:
    left, top, width, height = values
    if not (width > 0 and height > 0):  # negative, or missing
        return NO_FACE
    return int(left), int(top), int(width), int(height)


def _read(path: Path) -> "pd.DataFrame":
    """Path, box and class of each image of a list, once; the class is `UNKNOWN` where rows of an image disagree.

    The landmarks, nine tenths of the file, are passed over as it streams by.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    header = _header(path)
    numbers = dict.fromkeys([*BOX, CLASS], pa.float64())
    try:
        with arrow_csv.open_csv(
            path,
            arrow_csv.ReadOptions(column_names=header or COLUMNS, skip_rows=1 if header else 0),
            convert_options=arrow_csv.ConvertOptions(
                column_types={PATH: pa.string(), **numbers},
                include_columns=[PATH, *numbers],
                null_values=["", "NULL", "null", "NaN", "nan"],
            ),
        ) as reader:
            table = reader.read_all().to_pandas()
    except (OSError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).split()).replace("Row #", "line ")[:200]
        raise ClefError(f"{path}: {reason}; expected rows of {', '.join(COLUMNS)}; restore it") from None
    unsafe = table[PATH][~table[PATH].str.fullmatch(SAFE.pattern).fillna(False).astype(bool)]
    if len(unsafe):
        raise ClefError(f"{path}: {unsafe.iloc[0]!r} is no image; expected a folder and a file, such as 689/7a3c.jpg")
    table[CLASS] = table[CLASS].fillna(UNKNOWN).astype("int64")
    disagree = table.groupby(PATH)[CLASS].nunique()
    disagree = disagree[disagree > 1].index
    table.loc[table[PATH].isin(disagree), CLASS] = UNKNOWN
    return table.drop_duplicates(PATH)


def _header(path: Path) -> list[str] | None:
    """The column names of a list's first line, or None where that is an image already."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            cells = [cell.strip() for cell in file.readline().split(",")]
    except (OSError, UnicodeDecodeError):
        cells = [""]
    if len(cells) == len(COLUMNS) and SAFE.fullmatch(cells[0]):
        return None
    if set(cells) != set(COLUMNS):
        raise ClefError(
            f"{path}: starts with {','.join(cells)[:80]!r}; expected {','.join(COLUMNS)}, or an image; restore it"
        )
    return cells
