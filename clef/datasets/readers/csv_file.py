"""Read label files in csv format strictly: a line that does not fit is an error, never guessed at."""

import csv
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    import pyarrow as pa


def read_text(path: Path, expected: str) -> str:
    """Read a UTF-8 file with or without a byte-order mark. `expected` describes its contents in messages."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ClefError(f"{path}: cannot be read ({error.strerror}); expected {expected}; restore it") from None
    except UnicodeDecodeError:
        encoding = "UTF-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "not UTF-8"
        raise ClefError(f"{path}: the text is {encoding}; expected {expected}; save it as UTF-8") from None


def read_csv(
    path: Path,
    column_type: "pa.DataType",
    expected: str,
    rename: Callable[[list[str]], list[str]] | None = None,
    separator: str = ",",
) -> "pa.Table":
    """Read a file with a header whose columns all have one type. Empty lines are skipped.

    `rename` maps the header to the column names.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text = read_text(path, expected)
    lines = text.splitlines()
    if sum(bool(line.strip()) for line in lines) < 2:
        raise ClefError(f"{path}: no rows; expected {expected}; restore it, or remove it if nothing is labelled")
    names = next(csv.reader([lines[0]], delimiter=separator, skipinitialspace=True), None) or [""]
    if rename is not None:
        names = rename(names)
    duplicates = [name for name in names if names.count(name) > 1]
    if duplicates:
        raise ClefError(f"{path}: two columns are named {duplicates[0]!r}; expected {expected}")
    try:
        return arrow_csv.read_csv(
            io.BytesIO(text.encode()),
            arrow_csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names),
            arrow_csv.ParseOptions(delimiter=separator),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, column_type), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise ClefError(f"{path}: {_reason(error, names)}; expected {expected}; restore it") from None


def read_header(path: Path, expected: str, separator: str = ",") -> list[str]:
    """Read the cells of the first line of a large file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return [cell.strip().strip('"') for cell in file.readline().split(separator)]
    except (OSError, UnicodeDecodeError):
        read_text(path, expected)
        raise


def read_columns(
    path: Path,
    names: Sequence[str],
    types: Mapping[str, "pa.DataType"],
    expected: str,
    skip_header: bool = False,
    nulls: Sequence[str] = (),
) -> "pa.Table":
    """Read some columns of a large file, without holding the others in memory.

    `names` are those of all columns, `types` belong to the columns to read, and `nulls` mean a missing number.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    options = arrow_csv.ConvertOptions(column_types=dict(types), include_columns=list(types), null_values=nulls)
    read_options = arrow_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=int(skip_header))
    try:
        with arrow_csv.open_csv(path, read_options, convert_options=options) as reader:
            return reader.read_all()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else _reason(error, names)
    except pa.ArrowInvalid as error:
        reason = _reason(error, names)
    raise ClefError(f"{path}: {reason}; expected {expected}; restore it")


def _reason(error: Exception, names: Sequence[str]) -> str:
    """Shorten a message to one line, with the name of the column."""
    text = " ".join(str(error).split()).replace("Row #", "row ")[:200]
    return re.sub(r"In CSV column #(\d+)", lambda match: f"column {names[int(match[1])]}", text)
