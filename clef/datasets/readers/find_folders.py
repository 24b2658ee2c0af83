"""Find the parts of a copy whose folders were renamed or nested. Only folders are entered, never millions of files."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clef.errors import ClefError, abbreviate

PATTERN_DEPTH, MARKER_DEPTH = 4, 3
"""Levels searched below the raw folder; the deepest known packaging has three."""


def find_folders(
    root: Path, patterns: Mapping[str, re.Pattern[str]], ignored: Iterable[str] = ()
) -> dict[str, list[Path]]:
    """Find the folders that directly hold an entry with a matching name, those closest to `root` first.

    Folders that match a pattern, such as those of subjects, or whose lower-case name is `ignored` are not entered.
    """
    if not root.is_dir():
        raise ClefError(f"{root}: no such folder; put or link the raw data there")
    found: dict[str, list[Path]] = {kind: [] for kind in patterns}
    level = [root]
    for _ in range(PATTERN_DEPTH + 1):
        below = []
        for folder in level:
            kinds = set()
            with os.scandir(folder) as entries:
                for entry in entries:
                    matching = {kind for kind, pattern in patterns.items() if pattern.fullmatch(entry.name)}
                    kinds |= matching
                    skipped = matching or entry.name.startswith((".", "__")) or entry.name.lower() in ignored
                    if not skipped and entry.is_dir():
                        below.append(Path(entry.path))
            for kind in kinds:
                found[kind].append(folder)
        level = sorted(below)
    return found


def only_one(folders: list[Path], root: Path, contents: str) -> Path | None:
    """Return the only folder, or None."""
    if len(folders) > 1:
        both = " and ".join(relative(folder, root) for folder in folders[:2])
        raise ClefError(
            f"{root}: {both} both hold {contents}; expected one; move the other out of this folder, or join two parts "
            "of a release in a folder of links"
        )
    return folders[0] if folders else None


def find_folder(root: Path, markers: Sequence[str]) -> Path | None:
    """Find the folder closest to `root`, or `root` itself, that holds all marker paths."""
    level = [root]
    for _ in range(MARKER_DEPTH + 1):
        found = [folder for folder in level if all((folder / marker).exists() for marker in markers)]
        if len(found) > 1:
            raise ClefError(
                f"{root}: {' and '.join(markers)} in {relative(found[0], root)} and in {relative(found[1], root)}; "
                "expected one copy: remove the other"
            )
        if found:
            return found[0]
        level = [below for folder in level if folder.is_dir() for below in folders_in(folder)]
    return None


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder, except hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def file_names(folder: Path) -> list[str]:
    """List the names in a folder, except hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise ClefError(f"{folder}: cannot be listed ({error.strerror}); complete the copy") from None


def relative(path: Path, root: Path) -> str:
    """Return the path below the raw folder, as used in tables and messages."""
    return path.relative_to(root).as_posix()


def describe(root: Path) -> str:
    """Describe the contents of the raw folder, or of the only folder in it, for messages."""
    if not root.is_dir():
        return "is no folder" if root.exists() else "does not exist"
    inner = root
    while len(names := os.listdir(inner)) == 1 and (inner / names[0]).is_dir() and os.listdir(inner / names[0]):
        inner /= names[0]
    found = abbreviate(sorted(file_names(inner)), 5) or "nothing"
    return f"holds {found}" + ("" if inner == root else f" in {relative(inner, root)}")
