"""Intensity files of DISFA: lines `frame,intensity` without a header, one file per action unit."""

from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.readers.csv_file import read_columns
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

INTENSITIES = {0, 1, 2, 3, 4, 5, 9}
"""9 is unknown."""


def read_intensity_txt(path: Path) -> "pd.Series":
    """Read the intensities (int8) of a file, indexed by its own frame numbers."""
    import pyarrow as pa

    types = {"frame": pa.int64(), "intensity": pa.int64()}
    table = read_columns(path, list(types), types, "lines `frame,intensity` without a header").to_pandas()
    wrong = table[~table["intensity"].isin(INTENSITIES)]
    if len(wrong):
        frame, intensity = wrong.iloc[0]
        raise ClefError(f"{path}: frame {frame}: intensity {intensity}; expected 0 to 5")
    duplicates = table["frame"][table["frame"].duplicated()]
    if len(duplicates):
        raise ClefError(f"{path}: frame {duplicates.iloc[0]} appears twice; expected one line per frame")
    return table.set_index("frame")["intensity"].astype("int8")
