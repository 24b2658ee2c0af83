"""Keep render-demo from removing or overwriting files that it did not write.

`.rendered` lists the files of a demo set. It is written before the first of them.
"""

import os
from contextlib import suppress
from pathlib import Path

from clef.errors import ClefError, abbreviate
from clef.runtime.files import TEMPORARY_NAME, write_text

RECORD = "render.json"
FILE_LIST = ".rendered"


def require_own_folder(root: Path) -> set[str]:
    """Return the files of earlier renderings in a folder; refuse a link, and a folder that holds anything else."""
    hint = "use `dataset: {adapter: folder}` for your own recordings, or move them elsewhere"
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise ClefError(f"{root}: a link or a file; expected a folder that only render-demo writes to; {hint}")
    listed = set()
    if (root / FILE_LIST).is_file():
        listed = {RECORD, *(root / FILE_LIST).read_text(encoding="utf-8", errors="replace").splitlines()}
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()]
    found = [path for path in sorted(paths) if not _is_ignored(path)]
    foreign = [str(path) for path in found if str(path) not in listed and not TEMPORARY_NAME.fullmatch(path.name)]
    if foreign:
        raise ClefError(f"{root}: holds {abbreviate(foreign, 4)}, which render-demo did not write; {hint}")
    return {path.as_posix() for path in found} - {RECORD}


def prepare_folder(root: Path, planned: set[str]) -> None:
    """List the files that a rendering will write, and remove those of earlier renderings that it will not replace."""
    found = require_own_folder(root)
    write_text(root / FILE_LIST, "".join(f"{path}\n" for path in sorted(planned | found)))
    (root / RECORD).unlink(missing_ok=True)
    for path in found - planned:
        (root / path).unlink()
        with suppress(OSError):  # not empty yet
            os.removedirs((root / path).parent)
    write_text(root / FILE_LIST, "".join(f"{path}\n" for path in sorted(planned)))


def _is_ignored(path: Path) -> bool:
    """Hidden files, and the lease and DVC's pointers at the top."""
    hidden = any(part.startswith(".") for part in path.parts) and not TEMPORARY_NAME.fullmatch(path.name)
    return hidden or (len(path.parts) == 1 and (path.suffix == ".dvc" or path.name.startswith("render.lease")))
