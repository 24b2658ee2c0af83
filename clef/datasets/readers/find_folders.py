"""Finding the parts of a copy whose folders were renamed or nested on the way, without walking through its files."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from clef.errors import ClefError
from clef.runtime.wording import abbreviate

DEPTH = 4
"""Folders below the raw folder that are looked into: the deepest known packaging nests three."""


def find_folders(
    root: Path, patterns: Mapping[str, re.Pattern[str]], skipped: Iterable[str] = ()
) -> dict[str, list[Path]]:
    """Folders that directly hold an entry with a wanted name, the nearest to `root` first.

    A folder whose own name is wanted, such as one per subject, is not entered.

    Args:
        root: The raw folder.
        patterns: Whole names that are wanted, by what they are.
        skipped: Names, in lower case, of folders that need not be entered: they can hold millions of files.

    Returns:
        For every pattern its folders.

    Raises:
        ClefError: No such folder.
    """
    if not root.is_dir():
        raise ClefError(f"{root}: no such folder; put or link the raw data there")
    found: dict[str, list[Path]] = {what: [] for what in patterns}
    level = [root]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            entered, wanted = _look_into(folder, patterns)
            below += [path for path in entered if path.name.lower() not in skipped]
            for what in wanted:
                found[what].append(folder)
        level = sorted(below)
    return found


def _look_into(folder: Path, patterns: Mapping[str, re.Pattern[str]]) -> tuple[list[Path], set[str]]:
    """Folders to enter next, and what the folder holds of the wanted."""
    entered, held = [], set()
    with os.scandir(folder) as entries:
        for entry in entries:
            wanted = {what for what, pattern in patterns.items() if pattern.fullmatch(entry.name)}
            held |= wanted
            if not wanted and not entry.name.startswith((".", "__")) and entry.is_dir():
                entered.append(Path(entry.path))
    return entered, held


def the_only(folders: list[Path], root: Path, what: str) -> Path | None:
    """The one folder that holds something, or none.

    Raises:
        ClefError: There are two.
    """
    if len(folders) > 1:
        both = " and ".join(relative(folder, root) for folder in folders[:2])
        raise ClefError(
            f"{root}: {both} both hold {what}; expected one; take the other out of this folder, or join two parts of a "
            "release by a folder of links"
        )
    return folders[0] if folders else None


def relative(path: Path, root: Path) -> str:
    """Path below the raw folder, as it stands in tables and messages."""
    return path.relative_to(root).as_posix()


def contents(folder: Path, most: int = 5) -> str:
    """The first names in a folder, for messages."""
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    return abbreviate(names, most) or "nothing"
