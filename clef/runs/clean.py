"""Find and remove files that are no longer needed, in data/interim, data/processed and results. Never in data/raw."""

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
"""A temporary file of an unknown process may still be growing if it was written within this time."""


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can be removed."""

    path: Path
    reason: str
    size: int
    """Bytes."""


def leftovers(
    root: Path, runs: Mapping[str, Params], *, orphaned_results: bool = False, stage1_weights: bool = False
) -> list[Leftover]:
    """List what can be removed.

    Args:
        root: The checkout.
        runs: Every run that has a params file.
        orphaned_results: Also results of runs that have none.
        stage1_weights: Also stage 1 weights of finished runs that no unfinished run starts from.
    """
    found = [*_work_folders(root), *_partial_files(root), *_unused_crops(root, runs)]
    if orphaned_results:
        orphaned = find_orphaned_results(root, runs)
        found += [Leftover(path, "results of a run without params file", size(path)) for path in orphaned]
    if stage1_weights:
        found += _stage1_weights(root, runs)
    paths = {item.path for item in found}
    return [item for item in found if not paths & set(item.path.parents)]


def find_orphaned_results(root: Path, runs: Mapping[str, Params]) -> list[Path]:
    """Results folders of runs whose params file is missing."""
    folders = (path for path in sorted((root / RESULTS).glob("*")) if path.is_dir() and not path.is_symlink())
    return [path for path in folders if path.name not in runs and any(path.glob(str(seed_and_fold("*", "*"))))]


def remove(root: Path, item: Leftover) -> None:
    """Remove a leftover.

    Raises:
        ClefError: A process is working in the folder.
    """
    above = item.path.resolve().parents
    if (root / RAW).resolve() in above or not any(folder.resolve() in above for folder in _folders(root)):
        raise ClefError(f"{item.path}: not below data/interim, data/processed or results; not removed")
    if item.path.suffix == ".work":
        with leased(item.path):
            shutil.rmtree(item.path)
    elif item.path.is_dir():
        shutil.rmtree(item.path)
    else:
        item.path.unlink()


def is_workflow_running(root: Path) -> bool:
    """Whether Snakemake holds its lock; a killed Snakemake leaves it."""
    return any((root / ".snakemake" / "locks").glob("*"))


def require_no_workflow(root: Path) -> None:
    """Raise ClefError if Snakemake holds its lock."""
    if is_workflow_running(root):
        raise ClefError(
            f"{root / '.snakemake' / 'locks'}: a workflow is running here; wait for it, "
            "or run `snakemake --unlock` if it was killed"
        )


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    files = [path] if path.is_file() else (file for file in path.rglob("*") if not file.is_symlink() and file.is_file())
    return sum(file.stat().st_size for file in files)


def _work_folders(root: Path) -> Iterator[Leftover]:
    for folder in _folders(root):
        for path in sorted(folder.rglob("*.work")):
            # Directly below lie the folders of data sets and runs, whose names may end so.
            if path.parent != folder and path.is_dir() and not path.is_symlink() and not holder_of(path):
                yield Leftover(path, "progress of an interrupted job, which would start over", size(path))


def _partial_files(root: Path) -> Iterator[Leftover]:
    for folder in _folders(root):
        for path in sorted(folder.rglob(".*.partial")):
            if _is_half_written(path):
                yield Leftover(path, "incomplete file of a killed job", size(path))


def _is_half_written(path: Path) -> bool:
    """Whether no process writes a temporary file any more."""
    abandoned = is_abandoned(path)
    try:
        return time.time() - path.lstat().st_mtime > QUIET_SECONDS if abandoned is None else abandoned
    except FileNotFoundError:
        return False  # renamed or removed since it was listed


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


def _folders(root: Path) -> list[Path]:
    return [root / INTERIM, root / PROCESSED, root / RESULTS]
