"""Whose a folder is: a rendering writes and removes nothing but what renderings wrote.

`.rendered` names every file that one may have written. It is there before the first of them and stays, since Snakemake
removes `render.json`, its output, before it renders again.
"""

import json
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from clef.errors import ClefError
from clef.runtime.files import PARTIAL, write_text
from clef.runtime.wording import abbreviate

RECORD = "render.json"
CLAIM = ".rendered"
FOLDERS = ("videos", "AUCoding", "images")
TABLE = "labels.csv"

OWN_RECORDINGS = "for recordings of your own say `dataset: {adapter: folder}`"


def require_own(root: Path, planned: Collection[str]) -> set[str]:
    """Refuse a folder in which a rendering would meet what no rendering wrote; nothing is touched.

    Args:
        root: Folder of the set; it need not exist.
        planned: Files that are to be written, relative to `root`.

    Returns:
        Files, relative to `root`, that earlier renderings wrote, be they there or not.

    Raises:
        ClefError: The folder holds something and no list of what was rendered there; or it is a link, or something else
            lies where a file of a rendering belongs.
    """
    if root.is_symlink():
        raise ClefError(
            f"{root}: a link to {os.readlink(root)}; expected a folder that render-demo may fill itself; "
            f"{OWN_RECORDINGS}, else remove the link"
        )
    if root.exists() and not root.is_dir():
        raise ClefError(f"{root}: a file; expected a folder that render-demo may fill; move the file elsewhere")
    written = _written(root)
    if written is None:
        if names := _held(root):
            raise ClefError(
                f"{root}: holds {abbreviate(names, 4)}, and no list of render-demo's that names it; expected a new or empty "
                f"folder, or one that it filled before; {OWN_RECORDINGS}, else move what is there elsewhere"
            )
        written = set()
    for folder in _folders_of({*planned, *written}):
        here = root / folder
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            raise ClefError(f"{here}: a link or a file; expected a folder that render-demo may fill; move it elsewhere")
    for path in sorted({*planned, *written}):
        here = root / path
        if (path not in written and os.path.lexists(here)) or (here.is_dir() and not here.is_symlink()):
            raise ClefError(f"{here}: in the way, and not written by render-demo; move it elsewhere")
    return written


def claim(root: Path, planned: Collection[str]) -> None:
    """Make the folder ready for a rendering: note what it will write, and remove what earlier ones left.

    Args:
        root: Folder of the set.
        planned: Files that are to be written, relative to `root`.

    Raises:
        ClefError: As `require_own`.
    """
    written = require_own(root, planned)
    everything = {*planned, *written}
    note(root, everything)
    (root / RECORD).unlink(missing_ok=True)
    for path in written.difference(planned):
        (root / path).unlink(missing_ok=True)
    for folder in reversed(_folders_of(everything)):
        with suppress(FileNotFoundError):
            for name in os.listdir(root / folder):
                if PARTIAL.fullmatch(name):
                    (root / folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty
            (root / folder).rmdir()


def note(root: Path, files: Iterable[str]) -> None:
    """Write down which files are a rendering's."""
    write_text(root / CLAIM, "".join(f"{path}\n" for path in sorted(files)))


def adopt(root: Path) -> None:
    """Note what a version without notes rendered, before the record that lists it is removed."""
    recorded = _recorded(root)
    if recorded is not None and not root.is_symlink() and not os.path.lexists(root / CLAIM):
        note(root, recorded)


def _written(root: Path) -> set[str] | None:
    """Files that renderings wrote; None where nothing says that one did."""
    try:
        noted = set((root / CLAIM).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        noted = None
    lists = [paths for paths in (noted, _recorded(root)) if paths is not None]
    return {path for paths in lists for path in paths if _may_be_rendered(path)} if lists else None


def _recorded(root: Path) -> set[str] | None:
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return set(record["files"].keys()) if {"format", "settings"} <= record.keys() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _may_be_rendered(path: str) -> bool:
    """Whether a list is believed: it came with the folder, perhaps from elsewhere, and must not lead out of it."""
    parts = PurePosixPath(path).parts
    return path == TABLE or (len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts)


def _held(root: Path) -> list[str]:
    """What lies in a folder, other than hidden files, a lease, and DVC's pointers."""
    if not root.exists():
        return []
    lease = Path(RECORD).with_suffix(".lease").name
    return sorted(n for n in os.listdir(root) if not n.startswith(".") and n != lease and not n.endswith(".dvc"))


def _folders_of(paths: Iterable[str]) -> list[str]:
    """Folders that files lie in, outer ones first."""
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    return sorted(folders - {"."})
