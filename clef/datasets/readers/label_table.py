"""Read the label table of the adapter `folder`: a csv file with columns in any order, or the names of class folders.

A row states labels of a frame, of the frame at a time, of the frames in an interval, or of a whole recording. Programs
for coding video, such as ELAN and BORIS, export intervals with the name of the label in a column.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from clef.datasets.readers.class_folders import class_names
from clef.datasets.readers.csv_file import read_csv, read_header
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

ATTRIBUTES = ("subject", "activity", "split")
TIMES = ("time", "onset", "offset")
COLUMNS = ("path", *ATTRIBUTES, "frame", *TIMES, "label", "value", "expression")
ACTION_UNIT = re.compile(r"AU[ _]?0*(\d{1,2})", re.IGNORECASE)
EXPECTED = "a column path and columns such as AU01, AU12, expression or label"
CLOCK = re.compile(r"(\d+:){0,2}\d+(\.\d*)?")
"""A time in seconds, or as minutes:seconds or hours:minutes:seconds."""
DECIMAL_COMMA = re.compile(r"^([\d:]+),(?=\d+$)")
CODES = {0, 1, 2, 3, 4, 5, 9}
Classes = Sequence[str] | Mapping[int | str, str] | None
"""Names of classes in the order of their numbers, or by the name in the copy."""


@dataclass(frozen=True)
class LabelTable:
    """Contents of the table."""

    recordings: "pd.DataFrame"
    """One row per recording: `path`, `subject`, `activity`, `split`; None if unknown."""
    labels: "pd.DataFrame"
    """One row per label: `path`, `frame`, `onset` and `offset` in seconds, `AU01` ... as Int8, `expression`.

    Frame and times are missing for a whole recording. Onset and offset are equal for a single time.
    """
    unused: list[str]
    """Columns that are not read."""


def read_label_table(path: Path, columns: Mapping[str, str], pattern: str | None, classes: Classes) -> LabelTable:
    """Read the table. `columns`, `pattern` and `classes` are options of the adapter `folder`."""
    import pandas as pd
    import pyarrow as pa

    separator = _separator(path, columns.get("path", "path"))
    table = read_csv(path, pa.string(), EXPECTED, separator=separator).to_pandas()
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    table = table.apply(lambda column: column.str.strip())
    table = table.rename(columns=_new_names(path, list(table.columns), columns))
    if separator != ",":  # then a comma in a number is a decimal comma
        numbers = table.columns.difference(["path", *ATTRIBUTES, "label", "expression"])
        table[numbers] = table[numbers].replace(DECIMAL_COMMA, r"\1.", regex=True)
    if "label" in table:
        table = _spread_labels(path, table)
    return _label_table(path, table, pattern, classes)


def labels_in_paths(root: Path, names: Iterable[str], pattern: str, classes: Classes) -> LabelTable:
    """Return the table of those recordings whose path, relative to `root`, matches the pattern."""
    import pandas as pd

    compiled = _compile(pattern)
    matching = [name for name in names if compiled.search(name)]
    if not matching:
        raise ClefError(f"{root}: no video or image matches dataset.options.pattern {pattern!r}; correct it")
    return _label_table(root, pd.DataFrame({"path": matching}), pattern, classes)


def _label_table(path: Path, table: "pd.DataFrame", pattern: str | None, classes: Classes) -> LabelTable:
    compiled = None if pattern is None else _compile(pattern)
    if compiled is not None and "expression" in compiled.groupindex and "expression" not in table:
        table["expression"] = ""
    units = sorted(str(name) for name in table if ACTION_UNIT.fullmatch(str(name)))
    labels = [*units, *(["expression"] if "expression" in table else [])]
    if "path" not in table or not labels:
        raise ClefError(
            f"{path}: columns {', '.join(map(str, table))}; expected {EXPECTED}; see dataset.options.columns"
        )
    unused = [str(name) for name in table if name not in COLUMNS and name not in units]
    for name in table["path"].unique():
        if not is_below(name):
            raise ClefError(f"{path}: path {name!r}; expected one below {path.parent}, such as videos/P01/talk.mp4")
    for name in ATTRIBUTES:
        table[name] = table[name].replace("", None) if name in table else None
    if "expression" in table:
        table["expression"] = table["expression"].replace("", None)
    if compiled is not None:
        _fill_from_paths(path, table, compiled)
    wrong = set(table["split"].dropna()) - {"train", "test"}
    if wrong:
        raise ClefError(f"{path}: split {min(wrong)!r}; expected train or test; rename it")
    for unit in units:
        table[unit] = _integers(path, table, unit, CODES).astype("Int8")
    if "expression" in table:
        _name_classes(path, table, classes)
    if "frame" not in table:
        table["frame"] = ""
    table["frame"] = _integers(path, table, "frame", None)
    _read_times(path, table)
    moments = ["frame", "onset", "offset"]
    rows = table.loc[table[[*labels, *moments]].notna().any(axis=1), ["path", *moments, *labels]]
    return LabelTable(_recordings(path, table), _join_rows(path, rows, labels), unused)


def is_below(path: str) -> bool:
    """Check that a relative path is in its shortest form and stays inside its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and path == "/".join(parts) and ".." not in parts and "\\" not in path


def _separator(path: Path, wanted: str) -> str:
    """Find the separator with which the header names the column of paths; spreadsheets also write ; and tabs."""
    headers = {separator: read_header(path, EXPECTED, separator) for separator in ",;\t"}

    def fit(separator: str) -> tuple[bool, int]:
        names = headers[separator]
        return wanted.lower() in map(str.lower, names), len(names)

    return max(headers, key=fit)


def _new_names(path: Path, found: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    missing = [theirs for theirs in columns.values() if theirs not in found]
    if missing:
        raise ClefError(
            f"{path}: no column {missing[0]}, which dataset.options.columns names; found {', '.join(found)}"
        )
    renamed = {theirs: ours for ours, theirs in columns.items()}
    names = {}
    for name in found:
        new = renamed.get(name, name)
        unit = ACTION_UNIT.fullmatch(new)
        names[name] = f"AU{int(unit[1]):02d}" if unit else new.lower() if new.lower() in COLUMNS else new
    duplicates = [name for name in names.values() if list(names.values()).count(name) > 1]
    if duplicates:
        raise ClefError(f"{path}: two columns are {duplicates[0]}; expected one; see dataset.options.columns")
    return names


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ClefError(f"dataset.options.pattern: {pattern!r}: {error}; expected a regular expression") from None


def _fill_from_paths(path: Path, table: "pd.DataFrame", pattern: re.Pattern[str]) -> None:
    recordings = table["path"].drop_duplicates()
    matches = {recording: pattern.search(recording) for recording in recordings}
    for name in pattern.groupindex.keys() & {*ATTRIBUTES, "expression"}:
        if table[name].notna().any():
            continue
        unmatched = next((recording for recording, match in matches.items() if match is None), None)
        if unmatched is not None:
            raise ClefError(
                f"{path}: {unmatched} does not match dataset.options.pattern {pattern.pattern!r}; correct one of them"
            )
        table[name] = table["path"].map({recording: match[name] for recording, match in matches.items() if match})


def _name_classes(path: Path, table: "pd.DataFrame", classes: Classes) -> None:
    """Replace numbers of classes, and names that the option `classes` maps."""
    found = set(table["expression"].dropna())
    if isinstance(classes, Mapping):
        given = {str(key): name for key, name in classes.items()}
        names = class_names(found - given.keys(), None, str(path)) | given
    else:
        names = class_names(found, classes, str(path))
    if names:
        table["expression"] = table["expression"].map(lambda name: names.get(name, name), na_action="ignore")


def _join_rows(path: Path, rows: "pd.DataFrame", labels: list[str]) -> "pd.DataFrame":
    """Join the rows of one frame, or of one whole recording, which may state different labels."""
    import pandas as pd

    twice = rows["onset"].isna() & rows.duplicated(["path", "frame", "onset"], keep=False)
    if not twice.any():
        return rows
    groups = rows[twice].groupby(["path", "frame"], sort=False, dropna=False)
    different = groups[labels].nunique() > 1
    if different.any(axis=None):
        group, column = np.argwhere(different.to_numpy())[0]
        recording, frame = different.index[group]
        first, second = pd.Series(groups[labels[column]].unique().iloc[group]).dropna().iloc[:2]
        where = recording if pd.isna(frame) else f"{recording}: frame {frame}"
        raise ClefError(
            f"{path}: {where}: {labels[column]} is {first} in one row and {second} in another; expected one; remove "
            "the wrong row"
        )
    return pd.concat([rows[~twice], groups.first().reset_index()[rows.columns]], ignore_index=True)


def _spread_labels(path: Path, table: "pd.DataFrame") -> "pd.DataFrame":
    """Turn a column with the names of labels into one column for each action unit, and `expression` for other names.

    The column `value` has the codes; without it, or where it is empty, a label is present.
    """
    matches = [ACTION_UNIT.fullmatch(name) for name in table["label"]]
    names = [f"AU{int(match[1]):02d}" if match else "expression" for match in matches]
    found = sorted({name for name, label in zip(names, table["label"], strict=True) if label})
    if both := next((name for name in found if name in table), None):
        raise ClefError(f"{path}: columns label and {both} both name {both}; expected one of them")
    codes = table["value"].replace("", "1") if "value" in table else ["1"] * len(table)
    values = [code if match else label for match, label, code in zip(matches, table["label"], codes, strict=True)]
    for name in found:
        table[name] = [value if own == name else "" for own, value in zip(names, values, strict=True)]
    return table


def _read_times(path: Path, table: "pd.DataFrame") -> None:
    """Read `time`, `onset` and `offset` as seconds; a time becomes an interval without length."""
    for name in TIMES:
        cells = list(table[name]) if name in table else [""] * len(table)
        for row, cell in enumerate(cells):
            if cell and not CLOCK.fullmatch(cell):
                raise ClefError(f"{_row(path, table, row)}: {name} is {cell!r}; expected seconds, such as 12.48")
        table[name] = [_seconds(cell) for cell in cells]
    interval = table[["onset", "offset"]].notna()
    ways = table[["frame", "time"]].notna().sum(axis=1) + interval.any(axis=1)
    wrong = (ways > 1) | (interval.any(axis=1) & ~(table["offset"] >= table["onset"]))
    if wrong.any():
        raise ClefError(
            f"{_row(path, table, int(wrong.argmax()))}: expected a frame, a time, or an onset and an offset after it"
        )
    table["onset"], table["offset"] = table["onset"].fillna(table["time"]), table["offset"].fillna(table["time"])


def _seconds(cell: str) -> float:
    """Seconds of a time such as 12.48, 1:02.5 or 0:01:02.500; not a number if it is empty."""
    parts = [float(part) for part in cell.split(":")] if cell else [math.nan]
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


def _row(path: Path, table: "pd.DataFrame", row: int) -> str:
    return f"{path}: row {row + 1} below the header: {table['path'].iloc[row]}"


def _integers(path: Path, table: "pd.DataFrame", name: str, allowed: set[int] | None) -> "pd.Series":
    """Whole numbers of a column, missing where a cell is empty."""
    import pandas as pd

    cells = table[name]
    numbers = pd.to_numeric(cells.replace("", None), errors="coerce")
    wrong = numbers.isna() & (cells != "")
    wrong |= numbers.notna() & ((numbers % 1 != 0) | (numbers < 0))
    expected = "a number from 0"
    if allowed is not None:
        wrong |= numbers.notna() & ~numbers.isin(allowed)
        expected = f"one of {', '.join(map(str, sorted(allowed)))}, or nothing"
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ClefError(f"{_row(path, table, row)}: {name} is {cells.iloc[row]!r}; expected {expected}")
    return numbers.astype("Int64")


def _recordings(path: Path, table: "pd.DataFrame") -> "pd.DataFrame":
    recordings = table[["path", *ATTRIBUTES]].drop_duplicates().reset_index(drop=True)
    recordings = recordings.astype(object).where(recordings.notna(), None)
    duplicates = recordings[recordings["path"].duplicated(keep=False)]
    if len(duplicates):
        first, second = duplicates[duplicates["path"] == duplicates["path"].iloc[0]].iloc[:2].itertuples(index=False)
        name = next(name for name in ATTRIBUTES if getattr(first, name) != getattr(second, name))
        raise ClefError(
            f"{path}: {first.path} has {name} {getattr(first, name)} in one row, {getattr(second, name)} in another; "
            "expected one"
        )
    return recordings
