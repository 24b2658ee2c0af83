"""Label files of FER+ with the votes of ten annotators per image.

fer2013new.csv             Usage,Image name,neutral, ... ,unknown,NF    one row per row of FER2013, in its order
FER2013Train/label.csv     fer0000000.png,"(0, 0, 48, 48)",4,0, ...     no header; also FER2013Valid, FER2013Test

The votes of the two differ for about 1,600 images. The number in an image name is not its row, some rows have no name,
and some share one, so images are identified by row.
"""

import csv
from pathlib import Path

from clef.datasets.readers.csv_file import read_csv, read_text
from clef.errors import ClefError

VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
HEADER = ["Usage", "Image name", *VOTE_COLUMNS]
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
ANNOTATORS = 10

Votes = tuple[int, ...]
VoteRow = tuple[str, str, Votes]
"""Usage, image name and votes."""


def read_rows(path: Path) -> list[VoteRow]:
    """Read usage, image name (empty if FER+ dropped the image) and votes of every row of `fer2013new.csv`."""
    import pyarrow as pa

    table = read_csv(path, pa.string(), f"the columns {', '.join(HEADER)}")
    names = {name.strip().lower(): name for name in table.column_names}
    missing = [name for name in HEADER if name.lower() not in names]
    if missing:
        raise ClefError(f"{path}: no column {missing[0]!r}; expected {', '.join(HEADER)}")
    columns = [table[names[name.lower()]].to_pylist() for name in HEADER]
    rows = []
    for number, (usage, name, *votes) in enumerate(zip(*columns, strict=True)):
        if usage not in FOLDERS:
            raise ClefError(f"{path}: row {number}: usage {usage!r}; expected {', '.join(FOLDERS)}")
        rows.append((usage, name.strip(), _votes(votes, f"{path}: row {number}")))
    return rows


def read_labels(folder: Path) -> dict[str, tuple[str, Votes]]:
    """Read usage and votes by image name from the three `label.csv` below a folder."""
    found: dict[str, tuple[str, Votes]] = {}
    for usage, name in FOLDERS.items():
        path = folder / name / "label.csv"
        before = len(found)
        for number, cells in enumerate(csv.reader(read_text(path, "FER+'s labels").splitlines()), start=1):
            if not cells:
                continue
            where = f"{path}: line {number}"
            if len(cells) != 2 + len(VOTE_COLUMNS):
                raise ClefError(
                    f"{where}: {len(cells)} values; expected image, box and {len(VOTE_COLUMNS)} votes; restore it"
                )
            if cells[0] in found:
                raise ClefError(f"{where}: {cells[0]} appears twice; expected one line per image")
            found[cells[0]] = (usage, _votes(cells[2:], where))
        if len(found) == before:
            raise ClefError(f"{path}: no lines; expected FER+'s labels; restore it")
    return found


def by_row(rows: list[VoteRow], labels: dict[str, tuple[str, Votes]], folder: Path) -> list[Votes | None]:
    """Return the votes of `label.csv` by row; None for a row without a name, or whose name a later row shares.

    FER+'s own scripts keep the image of the later row.
    """
    row_of = {name: number for number, (_, name, _) in enumerate(rows) if name}
    votes: list[Votes | None] = [None] * len(rows)
    for name, (usage, own) in labels.items():
        if name not in row_of:
            raise ClefError(
                f"{folder / FOLDERS[usage]}: {name} is not in fer2013new.csv; expected complete labels of one release: "
                "restore both"
            )
        row = row_of[name]
        if rows[row][0] != usage:
            raise ClefError(
                f"{folder / FOLDERS[usage]}: {name} is of {rows[row][0]} in fer2013new.csv; expected "
                f"{', '.join(f'{name} for {usage}' for usage, name in FOLDERS.items())}: are two folders swapped?"
            )
        votes[row] = own
    return votes


def _votes(cells: list[str], where: str) -> Votes:
    try:
        votes = tuple(map(int, cells))
    except ValueError:
        votes = (-1,)
    if min(votes) < 0 or max(votes) > ANNOTATORS:
        raise ClefError(f"{where}: votes {', '.join(cells)}; expected numbers from 0 to {ANNOTATORS}")
    return votes
