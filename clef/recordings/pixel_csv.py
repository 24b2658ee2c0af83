"""Images in a csv file: column `pixels` holds the grey values of a square image, row by row, as in FER2013."""

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np

from clef.errors import ClefError

COLUMN = "pixels"
EXPECTED = "256 or fewer grey levels of a square image, separated by spaces"


def read_pixel_row(path: Path, row: int) -> np.ndarray:
    """Read the image in a row, which counts from 0 after the header: RGB, uint8, `(side, side, 3)`."""
    start, end = pixel_row_span(path, row)
    with path.open("rb") as file:
        file.seek(start)
        line = file.read(end - start)
    try:
        (cells,) = csv.reader([line.decode().strip()])
        values = np.array(cells[_row_index(path)[1]].split(), dtype=np.int64)
    except (ValueError, IndexError, csv.Error):  # UnicodeDecodeError is a ValueError
        raise ClefError(f"{path}: row {row}: not a list of numbers; expected {EXPECTED}") from None
    side = int(np.sqrt(len(values)))
    if not side or side * side != len(values) or values.min() < 0 or values.max() > 255:
        raise ClefError(f"{path}: row {row}: {len(values)} values are not a square grey image; expected {EXPECTED}")
    return np.repeat(values.astype(np.uint8).reshape(side, side, 1), 3, axis=2)


def pixel_row_span(path: Path, row: int) -> tuple[int, int]:
    """Return the bytes at which a row starts and ends; raise a ClefError if the file or row is missing."""
    offsets, _ = _row_index(path)
    if not 0 <= row < len(offsets) - 1:
        raise ClefError(f"{path}: no row {row}; the file has {len(offsets) - 1} rows")
    return int(offsets[row]), int(offsets[row + 1])


def _row_index(path: Path) -> tuple[np.ndarray, int]:
    """Return the bytes at which rows start, then the end of the file, `(rows + 1,)`, and the column of images."""
    try:
        status = path.stat()
        return _find_rows(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ClefError(f"{path}: cannot be read ({error.strerror}); expected a csv file of images") from None


@lru_cache(maxsize=4)
def _find_rows(path: Path, size: int, modified: int) -> tuple[np.ndarray, int]:
    """Find the line ends, once per version of the file."""
    if not size:
        raise ClefError(f"{path}: the file is empty; expected a csv file of images")
    content = np.memmap(path, dtype=np.uint8, mode="r")
    ends = np.flatnonzero(content == ord("\n")) + 1
    if not len(ends) or ends[-1] != size:
        ends = np.append(ends, size)
    header = bytes(content[: ends[0]]).decode("utf-8-sig", errors="replace")
    names = [name.strip().strip('"').lower() for name in header.strip().split(",")]
    if COLUMN not in names:
        raise ClefError(f"{path}: no column {COLUMN}; expected a csv file of images")
    return ends, names.index(COLUMN)
