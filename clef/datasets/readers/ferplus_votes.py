"""FER+'s label files: ten votes an image.

fer2013new.csv             Usage,Image name,neutral, ... ,unknown,NF    one row for each of FER2013's, in its order
FER2013Train/label.csv     fer0000000.png,"(0, 0, 48, 48)",4,0, ...     no header; FER2013Valid, FER2013Test likewise

The two were counted at different times: they disagree on some 1,600 images. An image's number in its name is not its
row, some rows have no name and some share one, so everything here goes by row.
"""

import csv
from pathlib import Path

from clef.datasets.readers.csv_file import read_csv
from clef.errors import ClefError

COLUMNS = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]
HEADER = ["Usage", "Image name", *COLUMNS]
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
MOST = 10

Votes = tuple[int, ...]
Row = tuple[str, str, Votes]
"""Usage, image name and votes."""


def read_rows(path: Path) -> list[Row]:
    """Usage, image name (empty where FER+ dropped the image) and votes of every row of `fer2013new.csv`.

    Raises:
        ClefError: The file is not as expected.
    """
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
    """Usage and votes by image name, from the three `label.csv` below a folder.

    Raises:
        ClefError: A file is missing or not as expected, or an image stands there twice.
    """
    found: dict[str, tuple[str, Votes]] = {}
    for usage, place in FOLDERS.items():
        path = folder / place / "label.csv"
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the text is not UTF-8"
            raise ClefError(f"{path}: cannot be read ({reason}); expected FER+'s labels; restore it") from None
        for number, cells in enumerate(csv.reader(lines), start=1):
            if not cells:
                continue
            where = f"{path}: line {number}"
            if len(cells) != 2 + len(COLUMNS):
                raise ClefError(
                    f"{where}: {len(cells)} values; expected image, box and {len(COLUMNS)} votes; restore it"
                )
            if cells[0] in found:
                raise ClefError(f"{where}: {cells[0]} stands twice; expected one line an image")
            found[cells[0]] = (usage, _votes(cells[2:], where))
        if not any(own == usage for own, _ in found.values()):
            raise ClefError(f"{path}: no lines; expected FER+'s labels; restore it")
    return found


def by_row(rows: list[Row], labels: dict[str, tuple[str, Votes]], source: Path) -> list[Votes | None]:
    """Votes of `label.csv` by row; None for a row without a name, or whose name a later row bears too.

    The later row's image is the one that FER+'s own scripts kept under that name.

    Args:
        rows: From `read_rows`: they say which row an image is.
        labels: From `read_labels`.
        source: Folder of the labels, for messages.

    Raises:
        ClefError: An image of the labels has no row, or one of another usage.
    """
    row_of = {name: number for number, (_, name, _) in enumerate(rows) if name}
    votes: list[Votes | None] = [None] * len(rows)
    for name, (usage, own) in labels.items():
        if name not in row_of:
            raise ClefError(
                f"{source / FOLDERS[usage]}: {name} is not in fer2013new.csv; expected labels of one release, and both "
                "whole: restore them"
            )
        row = row_of[name]
        if rows[row][0] != usage:
            raise ClefError(
                f"{source / FOLDERS[usage]}: {name} is of {rows[row][0]} in fer2013new.csv; expected "
                f"{', '.join(f'{place} for {usage}' for usage, place in FOLDERS.items())}: are two folders swapped?"
            )
        votes[row] = own
    return votes


def _votes(cells: list[str], where: str) -> Votes:
    try:
        votes = tuple(map(int, cells))
    except ValueError:
        votes = (-1,)
    if min(votes) < 0 or max(votes) > MOST:
        raise ClefError(f"{where}: votes {', '.join(map(str, cells))}; expected numbers from 0 to {MOST}")
    return votes
