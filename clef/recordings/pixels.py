"""Images in a csv table: a column `pixels` with the grey values of a square, row by row, as FER2013 has it."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from clef.errors import ClefError

COLUMN = "pixels"
EXPECTED = "256 or fewer grey levels of a square image, separated by spaces"


@dataclass(frozen=True)
class _Table:
    """Where the rows of a table lie in its file, so that each can be read by itself."""

    starts: np.ndarray
    """Byte at which each row starts, and the end of the last, (row + 1,)."""
    column: int


def read_pixels(path: Path, row: int) -> np.ndarray:
    """The image in a row, RGB, uint8, `(side, side, 3)`.

    Args:
        path: The table.
        row: Counted from 0, without the header.

    Raises:
        ClefError: No such table or row, or no image in it.
    """
    table = _table(path)
    first, last = _span(path, row)
    with path.open("rb") as file:
        file.seek(first)
        line = file.read(last - first)
    try:
        (cells,) = csv.reader([line.decode().strip()])
        values = np.array(cells[table.column].split(), dtype=np.int64)
    except (ValueError, IndexError, csv.Error):  # UnicodeDecodeError is a ValueError
        raise ClefError(f"{path}: row {row}: no list of numbers; expected {EXPECTED}") from None
    side = int(np.sqrt(len(values)))
    if not side or side * side != len(values) or values.min() < 0 or values.max() > 255:
        raise ClefError(f"{path}: row {row}: {len(values)} values, which make no grey square; expected {EXPECTED}")
    return np.repeat(values.astype(np.uint8).reshape(side, side, 1), 3, axis=2)


def row_bytes(path: Path, row: int) -> int:
    """Length of a row in bytes.

    Raises:
        ClefError: No such table or row.
    """
    first, last = _span(path, row)
    return last - first


def _span(path: Path, row: int) -> tuple[int, int]:
    starts = _table(path).starts
    if not 0 <= row < len(starts) - 1:
        raise ClefError(f"{path}: no row {row}; it has {len(starts) - 1}")
    return int(starts[row]), int(starts[row + 1])


def _table(path: Path) -> _Table:
    try:
        state = path.stat()
        return _read_table(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ClefError(f"{path}: cannot be read ({error.strerror}); expected a csv table of images") from None


@lru_cache(maxsize=4)
def _read_table(path: Path, size: int, changed: int) -> _Table:
    """Look for the ends of lines once for each state of the file."""
    if not size:
        raise ClefError(f"{path}: the file is empty; expected a csv table of images")
    content = np.memmap(path, dtype=np.uint8, mode="r")
    ends = np.flatnonzero(content == ord("\n")) + 1
    if not len(ends) or ends[-1] != size:
        ends = np.append(ends, size)
    header = bytes(content[: ends[0]]).decode("utf-8-sig", errors="replace")
    names = [name.strip().strip('"').lower() for name in header.strip().split(",")]
    if COLUMN not in names:
        raise ClefError(f"{path}: no column {COLUMN}; expected a csv table of images")
    return _Table(ends, names.index(COLUMN))
