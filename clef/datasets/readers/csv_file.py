"""Comma-separated label files, read strictly: what does not fit is an error with its line, never a guess."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    import pyarrow as pa

WHOLE_NUMBER = re.compile(r"\s*-?\d+\s*")


def read_csv(
    path: Path, column_type: "pa.DataType", expected: str, rename: Callable[[list[str]], list[str]] | None = None
) -> "pa.Table":
    """Read a file whose columns are all of one type.

    UTF-8 with or without a byte-order mark, any line ends, empty lines left out.

    Args:
        path: The file.
        column_type: Of every column.
        expected: What the file should hold, for messages.
        rename: Gives the names of the columns, by what the header says.

    Raises:
        ClefError: The file is missing, of another encoding or without rows; two columns share a name, a line has more
            or fewer values than the header, or a value is not of the type.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ClefError(f"{path}: cannot be read ({error.strerror}); expected {expected}; restore it") from None
    except UnicodeDecodeError:
        encoding = "UTF-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "not UTF-8"
        raise ClefError(f"{path}: the text is {encoding}; expected {expected}; save it as UTF-8") from None
    lines = text.splitlines()
    if len([line for line in lines if line.strip()]) < 2:
        raise ClefError(f"{path}: no rows; expected {expected}; restore it, or remove it if nothing is labelled")
    names = next(csv.reader([lines[0]], skipinitialspace=True), [""])
    if rename is not None:
        names = rename(names)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ClefError(f"{path}: two columns are named {twice[0]!r}; expected {expected}")
    try:
        return arrow_csv.read_csv(
            io.BytesIO(content),
            arrow_csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, column_type), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        reason = _first_mistake(text, names, column_type == pa.int64()) or " ".join(str(error).split())[:200]
        raise ClefError(f"{path}: {reason}; expected {expected}; restore it") from None


def _first_mistake(text: str, names: list[str], whole_numbers: bool) -> str | None:
    """Line and column of the first value that does not fit, and why; None where it cannot be told."""
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    next(rows)
    for row in rows:
        if row and len(row) != len(names):
            return f"line {rows.line_num} has {len(row)} value{'s' * (len(row) != 1)}, the header has {len(names)}"
        for name, value in zip(names, row, strict=False):
            if whole_numbers and not WHOLE_NUMBER.fullmatch(value):
                found = f"{value!r} is no whole number" if value.strip() else "nothing stands there"
                return f"line {rows.line_num}, column {name}: {found}"
    return None
