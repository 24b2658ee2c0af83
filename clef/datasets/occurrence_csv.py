"""BP4D's action-unit occurrence csv.

A header of integers; column 0 is the frame, column n action unit n, the last an uncodable flag; 1 present, 0 absent,
9 not coded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

CODES = {0, 1, 9}
UNCODABLE = 99


def read_occurrence_csv(path: Path, action_units: Sequence[int]) -> "pd.DataFrame":
    """Read one file.

    Returns:
        Columns `frame` (the file's own numbers) and `AU01` ..., int8 codes 0, 1 or 9; a frame that is flagged
        uncodable has 9 throughout.

    Raises:
        ClefError: A column, a number or a code that the format does not allow.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError:
        raise ClefError(f"{path}: no such file; expected the labels of this recording") from None
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ClefError(f"{path}: expected comma-separated integers under a header of integers ({error})") from None
    try:
        table.columns = pd.Index([int(name) for name in table.columns])
        table = table.astype("int64")
    except ValueError as error:
        raise ClefError(f"{path}: expected comma-separated integers under a header of integers ({error})") from None
    missing = [number for number in (0, *action_units) if number not in table.columns]
    if missing:
        raise ClefError(f"{path}: no column {missing[0]}; expected 0 for the frame and one per action unit")
    if table[0].duplicated().any():
        raise ClefError(
            f"{path}: frame {table[0][table[0].duplicated()].iloc[0]} stands twice; expected one row a frame"
        )
    codes = table[list(action_units)]
    wrong = ~codes.isin(CODES)
    if wrong.to_numpy().any():
        row, column = next(zip(*wrong.to_numpy().nonzero(), strict=True))
        raise ClefError(
            f"{path}: frame {table[0].iloc[row]}, action unit {action_units[column]}: code {codes.iloc[row, column]}; "
            "expected 0, 1 or 9"
        )
    if UNCODABLE in table.columns:
        codes = codes.mask(table[UNCODABLE] == 1, 9)
    labels = codes.astype("int8")
    labels.columns = pd.Index([f"AU{number:02d}" for number in action_units])
    labels.insert(0, "frame", table[0].astype("int32"))
    return labels
