"""The action-unit occurrence csv of BP4D and of BP4D+.

1 present, 0 absent, 9 not coded. BP4D: a header of integers; column 0 is the frame, column n action unit n, a last one
that is no action unit's an uncodable flag. BP4D+: 36 columns under a header, the frame, 34 action units and 99, the
uncodable flag.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.readers.csv_file import read_csv
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

NOT_CODED = 9
CODES = {0, 1, NOT_CODED}
UNCODABLE = 99
LAST_UNIT = 39
"""Of those that are coded anywhere; a last column of a higher number is the uncodable flag."""
LAST_FRAME = 2**31 - 1
EXPECTED = "comma-separated integers under a header of integers"
MEND = "correct the row, or restore the file"
FRAME = re.compile(r"\s*(?:0|frames?(?:[ _]?(?:no|number))?)?\s*", re.IGNORECASE)
NUMBER = re.compile(r"\s*(?:AU)?[ _]?(\d+)\s*", re.IGNORECASE)


def read_occurrence_csv(
    path: Path, action_units: Sequence[int], by_position: Sequence[int] | None = None, optional: Collection[int] = ()
) -> "pd.DataFrame":
    """Read one file.

    Args:
        path: The file.
        action_units: Those wanted.
        by_position: Numbers of the columns of a format whose header may say something else: they hold for a file of
            exactly so many columns whose header does not name the uncodable flag.
        optional: Action units that may have no column: not coded in any frame.

    Returns:
        Columns `frame` (the file's own numbers) and `AU01` ..., int8 codes 0, 1 or 9; a frame that is flagged
        uncodable has 9 throughout.

    Raises:
        ClefError: No such file, or a column, a number or a code that the format does not allow.
    """
    import pandas as pd
    import pyarrow as pa

    def rename(header: list[str]) -> list[str]:
        return [str(number) for number in _column_numbers(path, header, by_position)]

    table = read_csv(path, pa.int64(), EXPECTED, rename).to_pandas()
    table.columns = pd.Index([int(name) for name in table.columns])
    last = table.columns[-1]
    for number in set(optional) - set(table.columns):
        table[number] = NOT_CODED
    missing = [number for number in (0, *action_units) if number not in table.columns]
    if missing:
        names = ", ".join(map(str, missing))
        raise ClefError(f"{path}: no column {names}; expected 0 for the frame and one per action unit; restore it")
    impossible = table[0][(table[0] < 0) | (table[0] > LAST_FRAME)]
    if len(impossible):
        raise ClefError(f"{path}: frame {impossible.iloc[0]}; expected the number of a frame; {MEND}")
    if table[0].duplicated().any():
        raise ClefError(
            f"{path}: frame {table[0][table[0].duplicated()].iloc[0]} stands twice; expected one row a frame; {MEND}"
        )
    codes = table[list(action_units)]
    wrong = ~codes.isin(CODES)
    if wrong.to_numpy().any():
        row, column = next(zip(*wrong.to_numpy().nonzero(), strict=True))
        raise ClefError(
            f"{path}: frame {table[0].iloc[row]}, action unit {action_units[column]}: code {codes.iloc[row, column]}; "
            f"expected 0, 1 or 9; {MEND}"
        )
    flag = UNCODABLE if UNCODABLE in table.columns else last
    if flag > LAST_UNIT:
        codes = codes.mask(table[flag] == 1, NOT_CODED)
    labels = codes.astype("int8")
    labels.columns = pd.Index([f"AU{number:02d}" for number in action_units])
    labels.insert(0, "frame", table[0].astype("int32"))
    return labels


def _column_numbers(path: Path, names: list[str], by_position: Sequence[int] | None) -> list[int]:
    """Number of each column, by its name or its place; a last one with a name of another kind is the uncodable flag."""
    matches = [FRAME.fullmatch(names[0]), *(NUMBER.fullmatch(name) for name in names[1:])]
    numbers = [0, *(int(match[1]) for match in matches[1:] if match)]
    named = None not in matches
    tells = named and UNCODABLE in numbers and len(set(numbers)) == len(numbers)
    if by_position is not None and len(names) == len(by_position) and not tells:
        return list(by_position)
    if len(names) > 1 and None not in matches[:-1] and UNCODABLE not in numbers and matches[-1] is None:
        return [*numbers, UNCODABLE]
    if not named:
        wrong = names[matches.index(None)]
        raise ClefError(f"{path}: the header has {wrong!r}, no number of a column; expected {EXPECTED}")
    return numbers
