"""What can be removed from data/interim, data/processed and results: leftovers, crops that no run uses, lost runs.

Nothing below data/raw is ever looked at.
"""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clef.errors import ClefError
from clef.params.schema import Params
from clef.runtime.files import is_abandoned
from clef.runtime.lease import holder_of, leased
from clef.runtime.paths import INTERIM, PROCESSED, RAW, RESULTS, fold_folder, seed_and_fold, summary_file

DIGEST = re.compile(r"[0-9a-f]{8}")
QUIET_SECONDS = 3600.0
"""A file under a temporary name that was written to within this time, by nobody knows whom, may still be growing."""


@dataclass(frozen=True)
class Leftover:
    """Something that can go."""

    path: Path
    why: str
    size: int
    """Bytes."""


def leftovers(
    root: Path, runs: Mapping[str, Params], *, lost_results: bool = False, stage1_weights: bool = False
) -> list[Leftover]:
    """List what can go, as far as the params say that nobody needs it.

    Args:
        root: The checkout.
        runs: Every run that has a params file.
        lost_results: Also the results of runs that have none.
        stage1_weights: Also the stage 1 of finished runs, if no unfinished run starts from it.
    """
    found = [*_work_folders(root), *_partial_files(root), *_unused_crops(root, runs)]
    if lost_results:
        found += [Leftover(path, "results of a run without params file", size(path)) for path in lost(root, runs)]
    if stage1_weights:
        found += _stage1_weights(root, runs)
    whole = {item.path for item in found}
    return [item for item in found if not whole & set(item.path.parents)]


def lost(root: Path, runs: Mapping[str, Params]) -> list[Path]:
    """Results folders of runs whose params file is gone."""
    folders = (path for path in sorted((root / RESULTS).glob("*")) if path.is_dir() and not path.is_symlink())
    return [path for path in folders if path.name not in runs and any(path.glob(str(seed_and_fold("*", "*"))))]


def remove(root: Path, item: Leftover) -> None:
    """Remove one leftover; a work folder only while nobody else works in it.

    Raises:
        ClefError: A process has begun to work on it.
    """
    above = item.path.resolve().parents
    if (root / RAW).resolve() in above or not any(place.resolve() in above for place in _places(root)):
        raise ClefError(f"{item.path}: not below data/interim, data/processed or results; left alone")
    if item.path.suffix == ".work":
        with leased(item.path):
            shutil.rmtree(item.path)
    elif item.path.is_dir():
        shutil.rmtree(item.path)
    else:
        item.path.unlink()


def workflow_at_work(root: Path) -> bool:
    """Whether Snakemake holds its lock; one that was killed has left it."""
    return any((root / ".snakemake" / "locks").glob("*"))


def require_no_workflow(root: Path) -> None:
    """Refuse where Snakemake is at work.

    Raises:
        ClefError: It holds its lock.
    """
    if workflow_at_work(root):
        raise ClefError(
            f"{root / '.snakemake' / 'locks'}: a workflow is at work here; wait for it, "
            "or if it was killed, run `snakemake --unlock`"
        )


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    files = [path] if path.is_file() else (file for file in path.rglob("*") if not file.is_symlink() and file.is_file())
    return sum(file.stat().st_size for file in files)


def _work_folders(root: Path) -> Iterator[Leftover]:
    for place in _places(root):
        for path in sorted(place.rglob("*.work")):
            if path.is_dir() and not path.is_symlink() and not holder_of(path):
                yield Leftover(path, "progress of an interrupted job, which would start over", size(path))


def _partial_files(root: Path) -> Iterator[Leftover]:
    for place in _places(root):
        for path in sorted(place.rglob(".*.partial")):
            if _half_written(path):
                yield Leftover(path, "half a file that a killed job left", size(path))


def _half_written(path: Path) -> bool:
    """Whether nobody writes a file under a temporary name any more."""
    ended = is_abandoned(path)
    try:
        return time.time() - path.lstat().st_mtime > QUIET_SECONDS if ended is None else ended
    except FileNotFoundError:
        return False  # it has appeared, or was given up, just now


def _unused_crops(root: Path, runs: Mapping[str, Params]) -> Iterator[Leftover]:
    used = {(params.dataset.name, params.crop_digest) for params in runs.values()}
    for folder, what in ((INTERIM, "crops"), (PROCESSED, "manifest")):
        for path in sorted((root / folder).glob("*/*")):
            if not path.is_dir() or path.is_symlink() or path.parent.is_symlink() or not DIGEST.fullmatch(path.name):
                continue
            if (path.parent.name, path.name) not in used and not any(map(holder_of, path.glob("*.lease"))):
                yield Leftover(path, f"{what} of settings that no params file uses", size(path))


def _stage1_weights(root: Path, runs: Mapping[str, Params]) -> Iterator[Leftover]:
    def unfinished(run: str) -> bool:
        return not (root / summary_file(run)).exists()

    for run in runs:
        users = [user for user, params in runs.items() if params.pretrain is not None and params.pretrain.from_ == run]
        if any(map(unfinished, [run, *users])):
            continue
        for path in sorted(root.glob(str(fold_folder(run, "*", "*") / "pretrain.safetensors"))):
            yield Leftover(path, "stage 1 of a finished run", size(path))


def _places(root: Path) -> list[Path]:
    return [root / INTERIM, root / PROCESSED, root / RESULTS]
