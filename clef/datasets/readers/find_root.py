"""Where below the raw folder a copy of a data set begins: archives unpack into folders of their own, or not."""

import os
from collections.abc import Sequence
from pathlib import Path

from clef.datasets.readers.find_folders import contents
from clef.errors import ClefError

DEEPEST = 3


def find_folder(root: Path, markers: Sequence[str]) -> Path | None:
    """The nearest folder, `root` itself or up to three levels below it, that holds all of the markers.

    Args:
        root: Where to begin.
        markers: Paths relative to the folder.

    Raises:
        ClefError: Two folders of the same depth do.
    """
    level = [root]
    for _ in range(DEEPEST + 1):
        found = [folder for folder in level if all((folder / marker).exists() for marker in markers)]
        if len(found) > 1:
            raise ClefError(
                f"{root}: {' and '.join(markers)} in {found[0].relative_to(root)} and in {found[1].relative_to(root)}; "
                "expected one copy: remove the other"
            )
        if found:
            return found[0]
        level = [below for folder in level for below in _folders(folder)]
    return None


def found_in(root: Path) -> str:
    """What the raw folder holds, in a few words, for a message that says what was found.

    Where it holds a single folder, what is in that.
    """
    if not root.is_dir():
        return "is no folder" if root.exists() else "does not exist"
    inner = root
    while len(names := os.listdir(inner)) == 1 and (inner / names[0]).is_dir() and os.listdir(inner / names[0]):
        inner /= names[0]
    return f"holds {contents(inner)}" + ("" if inner == root else f" in {inner.relative_to(root)}")


def _folders(folder: Path) -> list[Path]:
    """Its folders by name; of each entry only the kind is asked, since there may be a million files."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
