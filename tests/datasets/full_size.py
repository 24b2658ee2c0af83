"""Label files with the sizes of BP4D, and invented contents with the published counts.

The positives of each part follow from the class weights of ME-GraphAU: only one set of whole numbers gives their six
digits.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from clef.datasets.bp4d import BENCHMARK, Bp4d

BP4D_POSITIVES = {
    "P1": (8322, 8172, 10085, 21055, 29862, 29183, 28277, 20274, 7664, 16080, 8023, 7076),
    "P2": (10223, 6568, 9870, 23312, 27651, 27954, 26187, 25762, 10024, 18379, 8657, 7867),
    "P3": (12497, 10370, 9800, 23309, 23103, 30133, 28066, 22339, 7181, 15947, 7608, 7286),
}
BP4D_TASKS = {
    "T1": 20_074,
    "T2": 20_837,
    "T3": 12_821,
    "T4": 20_208,
    "T5": 20_795,
    "T6": 19_553,
    "T7": 20_339,
    "T8": 12_220,
}
BP4D_PARTS = {"P1": 50_631, "P2": 50_182, "P3": 46_034}
"""Labelled frames. All numbers are independent of those of the adapters."""


def spread(ones: int, number: int) -> np.ndarray:
    """Spread ones evenly among zeros."""
    steps = np.arange(number + 1) * ones // number
    return np.diff(steps)


def parts(total: int, number: int) -> list[int]:
    """Divide a total into parts that differ by at most 1."""
    return [total * (place + 1) // number - total * place // number for place in range(number)]


def with_margins(rows: list[int], columns: list[int]) -> np.ndarray:
    """Return a table of whole numbers with these sums of rows and columns."""
    table = np.outer(rows, columns) // sum(rows)
    for row, column in np.ndindex(table.shape):
        missing = min(rows[row] - table[row].sum(), columns[column] - table[:, column].sum())
        table[row, column] += missing
    return table


def write_bp4d(root: Path) -> dict[str, range]:
    """Write 328 label files of 100 columns and empty videos, and return the labelled frames by recording."""
    frames = with_margins(list(BP4D_PARTS.values()), list(BP4D_TASKS.values()))
    windows: dict[str, range] = {}
    for part, subjects in enumerate(Bp4d.partitions["three-fold"]):
        names, lengths = [], []
        for place, task in enumerate(BP4D_TASKS):
            for subject, length in zip(subjects, parts(int(frames[part, place]), len(subjects)), strict=True):
                names.append(f"{subject}_{task}")
                lengths.append(length)
        codes = np.stack([spread(ones, sum(lengths)) for ones in BP4D_POSITIVES[f"P{part + 1}"]], axis=1)
        for name, own in zip(names, np.split(codes, np.cumsum(lengths)[:-1]), strict=True):
            windows[name] = range(len(windows) % 300 + 1, len(windows) % 300 + 1 + len(own))
            path = root / "AUCoding/AU_OCC" / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = np.full((len(own), 100), 9)
            table[:, 0], table[:, list(BENCHMARK)] = windows[name], own
            columns = pa.table({str(number): table[:, number] for number in range(100)})
            csv.write_csv(columns, path, csv.WriteOptions(quoting_style="none"))
            (root / "videos" / f"{name}.mp4").parent.mkdir(exist_ok=True)
            (root / "videos" / f"{name}.mp4").touch()
    return windows
