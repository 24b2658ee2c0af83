"""Action-unit occurrence files of BP4D and BP4D+: 1 present, 0 absent, 9 not coded.

BP4D: a header of integers. Column 0 is the frame, column n is action unit n, and a last column that is no action unit
flags uncodable frames. BP4D+: 36 columns, the frame, 34 action units and the flag 99, under any header.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.base import NOT_CODED
from clef.datasets.readers.csv_file import read_csv
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

CODES = {0, 1, NOT_CODED}
UNCODABLE = 99
LAST_UNIT = 39
"""Highest action unit in any data set; a last column with a higher number flags uncodable frames."""
LAST_FRAME = 2**31 - 1
EXPECTED = "comma-separated integers under a header of integers"
ADVICE = "correct the row, or restore the file"
FRAME = re.compile(r"\s*(?:0|frames?(?:[ _]?(?:no|number))?)?\s*", re.IGNORECASE)
NUMBER = re.compile(r"\s*(?:AU)?[ _]?(\d+)\s*", re.IGNORECASE)


def read_occurrence_csv(
    path: Path, action_units: Sequence[int], by_position: Sequence[int] | None = None, optional: Collection[int] = ()
) -> "pd.DataFrame":
    """Read the codes of one recording.

    `by_position` numbers the columns of files that have exactly as many and whose header does not name them.
    `optional` action units may have no column: all frames are then not coded.

    Returns:
        Columns `frame` and `AU01` ..., int8 codes 0, 1 or 9. Frames flagged uncodable are 9.
    """
    import pandas as pd
    import pyarrow as pa

    def rename(header: list[str]) -> list[str]:
        return [str(number) for number in _column_numbers(path, header, by_position)]

    table = read_csv(path, pa.int64(), EXPECTED, rename).to_pandas()
    table.columns = pd.Index([int(name) for name in table.columns])
    flag = UNCODABLE if UNCODABLE in table.columns else table.columns[-1]
    for number in set(optional) - set(table.columns):
        table[number] = NOT_CODED
    missing = [number for number in (0, *action_units) if number not in table.columns]
    if missing:
        names = ", ".join(map(str, missing))
        raise ClefError(f"{path}: no column {names}; expected 0 for the frame and one per action unit; restore it")
    frames = table[0]
    impossible = frames[(frames < 0) | (frames > LAST_FRAME)]
    if len(impossible):
        raise ClefError(f"{path}: frame {impossible.iloc[0]}; expected a frame number; {ADVICE}")
    duplicates = frames[frames.duplicated()]
    if len(duplicates):
        raise ClefError(f"{path}: frame {duplicates.iloc[0]} appears twice; expected one row per frame; {ADVICE}")
    codes = table[list(action_units)]
    wrong = ~codes.isin(CODES).to_numpy()
    if wrong.any():
        row, column = next(zip(*wrong.nonzero(), strict=True))
        raise ClefError(
            f"{path}: frame {frames.iloc[row]}, action unit {action_units[column]}: code {codes.iloc[row, column]}; "
            f"expected 0, 1 or 9; {ADVICE}"
        )
    if flag > LAST_UNIT:
        codes = codes.mask(table[flag] == 1, NOT_CODED)
    labels = codes.astype("int8")
    labels.columns = pd.Index([f"AU{number:02d}" for number in action_units])
    labels.insert(0, "frame", frames.astype("int32"))
    return labels


def _column_numbers(path: Path, names: list[str], by_position: Sequence[int] | None) -> list[int]:
    """Find the number of each column by name or position. A last column without a number is the uncodable flag."""
    matches = [FRAME.fullmatch(names[0]), *(NUMBER.fullmatch(name) for name in names[1:])]
    numbers = [0, *(int(match[1]) for match in matches[1:] if match)]
    all_numbered = None not in matches
    names_all_columns = all_numbered and UNCODABLE in numbers and len(set(numbers)) == len(numbers)
    if by_position is not None and len(names) == len(by_position) and not names_all_columns:
        return list(by_position)
    if len(names) > 1 and None not in matches[:-1] and UNCODABLE not in numbers and matches[-1] is None:
        return [*numbers, UNCODABLE]
    if not all_numbered:
        wrong = names[matches.index(None)]
        raise ClefError(f"{path}: the header has {wrong!r}, which is no column number; expected {EXPECTED}")
    return numbers
