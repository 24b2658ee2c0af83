"""Text files of an action unit's intensity, as DISFA has them: lines `frame,intensity`, no header, 0 to 5."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

EXPECTED = "lines `frame,intensity` without a header"
INTENSITIES = {0, 1, 2, 3, 4, 5, 9}
"""9 where it is not known."""


def read_intensity_txt(path: Path) -> "pd.Series":
    """Read one file.

    Returns:
        Intensity, int8, by the file's own frame numbers.

    Raises:
        ClefError: The file is missing or empty, or holds something else.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    columns = dict.fromkeys(("frame", "intensity"), pa.int64())
    try:
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(use_threads=False, column_names=list(columns)),
            convert_options=arrow_csv.ConvertOptions(column_types=columns, null_values=[]),
        ).to_pandas()
    except OSError as error:
        raise ClefError(
            f"{path}: cannot be read ({os.strerror(error.errno or 0)}); expected {EXPECTED}; restore it"
        ) from None
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split()).replace("Row #", "line ")[:200]
        raise ClefError(f"{path}: {reason}; expected {EXPECTED}; restore it") from None
    wrong = table[~table["intensity"].isin(INTENSITIES)]
    if len(wrong):
        frame, intensity = wrong.iloc[0]
        raise ClefError(f"{path}: frame {frame}: intensity {intensity}; expected 0 to 5")
    twice = table["frame"][table["frame"].duplicated()]
    if len(twice):
        raise ClefError(f"{path}: frame {twice.iloc[0]} stands twice; expected one line a frame")
    return table.set_index("frame")["intensity"].astype("int8")
