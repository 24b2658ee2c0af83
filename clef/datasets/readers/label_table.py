"""A table of recordings and labels, as anybody might keep one: comma-separated, a column each, in any order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clef.datasets.readers.csv_file import read_csv
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

ABOUT = ("subject", "activity", "split")
OWN = ("path", *ABOUT, "frame", "expression")
UNIT = re.compile(r"AU[ _]?0*(\d{1,2})", re.IGNORECASE)
EXPECTED = "a column path and columns such as AU01, AU12 or expression"
CODES = {0, 1, 2, 3, 4, 5, 9}


@dataclass(frozen=True)
class LabelTable:
    """What the table says."""

    recordings: "pd.DataFrame"
    """A row a recording: `path`, `subject`, `activity`, `split`; None where unknown."""
    labels: "pd.DataFrame"
    """A row a label: `path`, `frame` (missing for a whole recording), `AU01` ... as Int8, `expression`."""
    unused: list[str]
    """Columns that mean nothing here."""


def read_label_table(path: Path, columns: Mapping[str, str], pattern: str | None) -> LabelTable:
    """Read the table.

    Args:
        path: The file.
        columns: What the table calls a column, by what it is called here.
        pattern: Regular expression on a path, with groups for what the table has no column of.

    Raises:
        ClefError: No such file, no such column, a path that leads out of the folder, a code or a number that is none, a
            recording of two subjects, or a pattern that does not fit.
    """
    import pandas as pd
    import pyarrow as pa

    table = read_csv(path, pa.string(), EXPECTED).to_pandas()
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    table = table.apply(lambda column: column.str.strip())
    table = table.rename(columns=_names(path, list(table.columns), columns))
    units = sorted(name for name in table if UNIT.fullmatch(str(name)))
    labels = [*units, *(["expression"] if "expression" in table else [])]
    if "path" not in table or not labels:
        raise ClefError(
            f"{path}: columns {', '.join(map(str, table))}; expected {EXPECTED}; see dataset.options.columns"
        )
    unused = [str(name) for name in table if name not in OWN and name not in units]
    _require_below(path, table["path"])
    for name in ABOUT:
        table[name] = table[name].replace("", None) if name in table else None
    if pattern is not None:
        _fill_from_paths(path, table, pattern)
    wrong = set(table["split"].dropna()) - {"train", "test"}
    if wrong:
        raise ClefError(f"{path}: split {min(wrong)!r}; expected train or test")
    for unit in units:
        table[unit] = _codes(path, table, unit)
    if "expression" in table:
        table["expression"] = table["expression"].replace("", None)
    frames = table["frame"] if "frame" in table else pd.Series("", index=table.index)
    table["frame"] = _integers(path, table, frames, "frame", None)
    rows = table.loc[table[labels].notna().any(axis=1) | table["frame"].notna(), ["path", "frame", *labels]]
    return LabelTable(_recordings(path, table), rows, unused)


def is_below(path: str) -> bool:
    """Whether a path, in its plainest form, stays in the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and path == "/".join(parts) and ".." not in parts and "\\" not in path


def _names(path: Path, found: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """What a column is called here, by what the table calls it."""
    missing = [theirs for theirs in columns.values() if theirs not in found]
    if missing:
        raise ClefError(
            f"{path}: no column {missing[0]}, which dataset.options.columns names; found {', '.join(found)}"
        )
    ours = {theirs: ours for ours, theirs in columns.items()}
    names = {}
    for name in found:
        called = ours.get(name, name)
        unit = UNIT.fullmatch(called)
        names[name] = f"AU{int(unit[1]):02d}" if unit else called.lower() if called.lower() in OWN else called
    twice = [name for name in names.values() if list(names.values()).count(name) > 1]
    if twice:
        raise ClefError(f"{path}: two columns are {twice[0]}; expected one; see dataset.options.columns")
    return names


def _require_below(path: Path, paths: "pd.Series") -> None:
    for row, name in enumerate(paths.drop_duplicates(), start=1):
        if not is_below(name):
            raise ClefError(
                f"{path}: recording {row}: path {name!r}; expected one below {path.parent}, such as videos/P01/talk.mp4"
            )


def _fill_from_paths(path: Path, table: "pd.DataFrame", pattern: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ClefError(f"dataset.options.pattern: {pattern!r}: {error}; expected a regular expression") from None
    groups = [name for name in compiled.groupindex if name in ABOUT and table[name].isna().all()]
    for name in groups:
        of_path = {}
        for each in table["path"].unique():
            match = compiled.search(each)
            if match is None:
                raise ClefError(f"{path}: {each} does not fit dataset.options.pattern {pattern!r}; mend one of them")
            of_path[each] = match[name]
        table[name] = table["path"].map(of_path)


def _codes(path: Path, table: "pd.DataFrame", unit: str) -> "pd.Series":
    codes = _integers(path, table, table[unit], unit, CODES)
    return codes.astype("Int8")


def _integers(
    path: Path, table: "pd.DataFrame", cells: "pd.Series", name: str, allowed: set[int] | None
) -> "pd.Series":
    """Whole numbers, missing where a cell is empty."""
    import pandas as pd

    numbers = pd.to_numeric(cells.replace("", None), errors="coerce")
    wrong = numbers.isna() & (cells != "")
    wrong |= numbers.notna() & ((numbers % 1 != 0) | (numbers < 0))
    if allowed is not None:
        wrong |= numbers.notna() & ~numbers.isin(allowed)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        expected = (
            "a number from 0" if allowed is None else f"one of {', '.join(map(str, sorted(allowed)))}, or nothing"
        )
        raise ClefError(
            f"{path}: row {row + 1} below the header: {table['path'].iloc[row]}: {name} is {cells.iloc[row]!r}; "
            f"expected {expected}"
        )
    return numbers.astype("Int64")


def _recordings(path: Path, table: "pd.DataFrame") -> "pd.DataFrame":
    recordings = table[["path", *ABOUT]].drop_duplicates().reset_index(drop=True)
    recordings = recordings.astype(object).where(recordings.notna(), None)
    again = recordings[recordings["path"].duplicated(keep=False)]
    if len(again):
        first, second = again[again["path"] == again["path"].iloc[0]].iloc[:2].itertuples(index=False)
        name = next(name for name in ABOUT if getattr(first, name) != getattr(second, name))
        raise ClefError(
            f"{path}: {first.path} has {name} {getattr(first, name)} in one row, {getattr(second, name)} in another; "
            "expected one"
        )
    return recordings
