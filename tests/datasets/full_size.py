"""Label files with the sizes of the licensed data sets, and invented contents with the published counts.

The positives of each part follow from the class weights of ME-GraphAU: only one set of whole numbers gives their six
digits.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from clef.datasets.bp4d import BENCHMARK, Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import CODED as CODED_DISFA
from clef.datasets.disfa import SUBJECTS, Disfa
from clef.fixtures.bp4dplus import UNITS

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
DISFA_BENCHMARK = (1, 2, 4, 6, 9, 12, 25, 26)
DISFA_POSITIVES = {
    "P1": (1839, 1125, 5119, 2360, 1218, 4503, 10850, 4902),
    "P2": (1469, 879, 6653, 3558, 1287, 6187, 13206, 4123),
    "P3": (3198, 3640, 8161, 4409, 2968, 6161, 12191, 2508),
}
DISFA_FRAMES, SHORT = 4845, "SN010"
BP4DPLUS_TASKS, BP4DPLUS_UNCODABLE = {"T1": 53_460, "T6": 53_495, "T7": 37_638, "T8": 53_282}, 944
BP4DPLUS_RATES = {
    "T1": (4.9, 4.8, 2.5, 69.8, 82.7, 79.9, 76.6, 69.3, 11.0, 11.6, 17.0, 3.4),
    "T6": (12.2, 11.6, 4.5, 66.5, 82.1, 84.9, 78.0, 72.3, 15.1, 12.0, 21.5, 2.2),
    "T7": (17.6, 16.1, 6.0, 49.8, 67.1, 69.4, 62.0, 67.1, 13.5, 17.0, 14.8, 4.9),
    "T8": (6.2, 2.3, 10.2, 11.7, 32.0, 24.8, 14.6, 32.2, 3.8, 12.3, 12.6, 5.3),
}
"""Percentages of all labelled frames by task. Percentages of codable frames would not give the rates of all tasks."""
WORST, WORST_FRAMES, WORST_UNCODABLE, UNCODABLE_FILES = "M017_T7", 252, 245, 24


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
        columns = list(BENCHMARK)
        for name, own in zip(names, np.split(codes, np.cumsum(lengths)[:-1]), strict=True):
            windows[name] = range(len(windows) % 300 + 1, len(windows) % 300 + 1 + len(own))
            _write_table(root / "AUCoding/AU_OCC" / f"{name}.csv", windows[name], own, columns, list(range(100)))
    return _with_videos(root, windows, lambda name: f"videos/{name}.mp4")


def write_bp4dplus(root: Path) -> dict[str, range]:
    """Write 560 label files of 36 columns, whose headers have no numbers, with 944 uncodable frames."""
    windows: dict[str, range] = {}
    uncodable = parts(BP4DPLUS_UNCODABLE - WORST_UNCODABLE, UNCODABLE_FILES - 1)
    for task, total in BP4DPLUS_TASKS.items():
        names = [f"{subject}_{task}" for subject in Bp4dPlus.all_subjects if f"{subject}_{task}" != WORST]
        lengths = parts(total - (WORST_FRAMES if WORST.endswith(task) else 0), len(names))
        hidden = dict(zip(names, uncodable, strict=False)) if task == "T1" else {}
        if WORST.endswith(task):
            names, lengths, hidden = [*names, WORST], [*lengths, WORST_FRAMES], {WORST: WORST_UNCODABLE}
        codable = total - sum(hidden.values())
        codes = np.stack([spread(round(rate * total / 100), codable) for rate in BP4DPLUS_RATES[task]], axis=1)
        for name, length in zip(names, lengths, strict=True):
            own, codes = np.split(codes, [length - hidden.get(name, 0)])
            windows[name] = range(5, 5 + length)
            header = [0, *UNITS, 99]
            _write_table(root / "AUCoding/AU_OCC" / f"{name}.csv", windows[name], own, list(BENCHMARK), header)
    return _with_videos(root, windows, lambda name: f"raw_videos/{name}.mp4")


def write_disfa(root: Path) -> dict[str, range]:
    """Write 27 x 12 label files and one empty video per subject."""
    windows: dict[str, range] = {}
    for part, subjects in enumerate(Disfa.partitions["three-fold"]):
        lengths = [DISFA_FRAMES - (subject == SHORT) for subject in subjects]
        total = sum(lengths)
        codes = dict.fromkeys(CODED_DISFA, np.zeros(total, int))
        for unit, ones in zip(DISFA_BENCHMARK, DISFA_POSITIVES[f"P{part + 1}"], strict=True):
            intensities = np.arange(total)  # present from 2
            codes[unit] = np.where(spread(ones, total) == 1, 2 + intensities % 4, intensities % 2)
        for subject, start, length in zip(subjects, np.cumsum([0, *lengths[:-1]]), lengths, strict=True):
            windows[subject] = range(1, 1 + length)
            for unit, values in codes.items():
                path = root / "ActionUnit_Labels" / subject / f"{subject}_au{unit}.txt"
                own = values[start : start + length]
                lines = [f"{frame},{value}" for frame, value in zip(windows[subject], own, strict=True)]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(lines) + "\n")
    assert sorted(windows) == SUBJECTS
    return _with_videos(root, windows, lambda name: f"Videos_LeftCamera/LeftVideo{name}_comp.avi")


def _write_table(path: Path, frames: range, codes: np.ndarray, units: list[int], header: list[int]) -> None:
    """Write one file. Frames after the last code are uncodable."""
    cells = ["9"] * len(header)
    places = [header.index(unit) for unit in units]
    lines = [",".join(map(str, header)) if len(header) == 100 else ",".join(f"c{n}" for n in header)]
    for number, frame in enumerate(frames):
        row = cells.copy()
        row[0], row[-1] = str(frame), str(int(number >= len(codes)))
        if number < len(codes):
            for place, code in zip(places, codes[number].tolist(), strict=True):
                row[place] = str(code)
        lines.append(",".join(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _with_videos(root: Path, windows: dict[str, range], name: Callable[[str], str]) -> dict[str, range]:
    for recording in windows:
        path = root / name(recording)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return windows
