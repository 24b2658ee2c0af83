"""Find and remove files that are no longer needed, in data/interim, data/processed and results. Never in data/raw."""

import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clef.errors import ClefError
from clef.params.schema import Params
from clef.runs.variants import base_of
from clef.runtime.files import is_abandoned
from clef.runtime.lease import holder_of, leased
from clef.runtime.paths import INTERIM, PROCESSED, RAW, RESULTS, crops_folder, fold_folder, seed_and_fold, summary_file

FOLDERS = (INTERIM, PROCESSED, RESULTS)
DIGEST = re.compile(r"[0-9a-f]{8}")
QUIET_SECONDS = 3600.0
"""A temporary file of an unknown process may still be growing if it was written within this time."""


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can be removed."""

    path: Path
    reason: str

    @cached_property
    def size(self) -> int:
        """Bytes of the file, or of all files below the folder. Links are not followed."""
        files = [self.path, *self.path.rglob("*")]
        return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


def leftovers(
    root: Path,
    runs: Mapping[str, Params],
    broken: Collection[str] = (),
    *,
    orphaned_results: bool = False,
    stage1_weights: bool = False,
) -> list[Leftover]:
    """List what can be removed.

    Args:
        root: The checkout.
        runs: Every run that has a valid params file.
        broken: Names of the other params files. They may use any crops and stage 1 weights, so all of these are kept.
        orphaned_results: Also results of runs without a params file.
        stage1_weights: Also stage 1 weights of finished runs that no unfinished run starts from.
    """
    found = [*_work_folders(root), *_temporary_files(root)]
    if not broken:
        found += _unused_crops(root, runs)
    if orphaned_results:
        orphaned = find_orphaned_results(root, [*runs, *broken])
        found += [Leftover(path, "results of a run without params file") for path in orphaned]
    if stage1_weights and not broken:
        found += _stage1_weights(root, runs)
    paths = {item.path for item in found}
    return [item for item in found if not paths & set(item.path.parents)]


def find_orphaned_results(root: Path, runs: Collection[str]) -> list[Path]:
    """Results folders of runs that are not among `runs`, those with a params file, and no variants of them."""
    folders = (path for path in sorted((root / RESULTS).glob("*")) if path.is_dir() and not path.is_symlink())
    orphaned = (path for path in folders if base_of(path.name) not in runs)
    return [path for path in orphaned if any(path.glob(str(seed_and_fold("*", "*"))))]


def remove(root: Path, path: Path) -> None:
    """Remove a leftover. A process that works in it is an error."""
    above = path.resolve().parents
    if (root / RAW).resolve() in above or not any((root / folder).resolve() in above for folder in FOLDERS):
        raise ClefError(f"{path}: not below data/interim, data/processed or results; not removed")
    with leased(path) if path.suffix == ".work" else nullcontext():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_workflow_running(root: Path) -> bool:
    """Whether Snakemake holds its lock; a killed Snakemake leaves it."""
    return any((root / ".snakemake" / "locks").glob("*"))


def require_no_workflow(root: Path) -> None:
    """Raise ClefError if Snakemake holds its lock."""
    if is_workflow_running(root):
        hint = "wait for it, or run `snakemake --unlock` if it was killed"
        raise ClefError(f"{root / '.snakemake' / 'locks'}: a workflow is running here; {hint}")


def _work_folders(root: Path) -> Iterator[Leftover]:
    # Data sets and runs may have names that end so, and MLflow keeps folders named after them.
    for folder in (crops_folder("*", "*"), fold_folder("*", "*", "*")):
        for path in sorted(root.glob(str(folder / "*.work"))):
            if path.is_dir() and not path.is_symlink() and not holder_of(path):
                yield Leftover(path, "progress of an interrupted job, which would start over")


def _temporary_files(root: Path) -> Iterator[Leftover]:
    for path in (path for folder in FOLDERS for path in sorted((root / folder).rglob(".*.partial"))):
        with suppress(FileNotFoundError):  # renamed or removed since it was listed
            abandoned = is_abandoned(path)
            if abandoned or (abandoned is None and time.time() - path.lstat().st_mtime > QUIET_SECONDS):
                yield Leftover(path, "incomplete file of a killed job")


def _unused_crops(root: Path, runs: Mapping[str, Params]) -> Iterator[Leftover]:
    used = {(params.dataset.name, params.crop_digest) for params in runs.values()}
    for folder, what in ((INTERIM, "crops"), (PROCESSED, "manifest")):
        for path in sorted((root / folder).glob("*/*")):
            if not path.is_dir() or path.is_symlink() or path.parent.is_symlink() or not DIGEST.fullmatch(path.name):
                continue
            if (path.parent.name, path.name) not in used and not any(map(holder_of, path.glob("*.lease"))):
                yield Leftover(path, f"{what} of settings that no params file uses")


def _stage1_weights(root: Path, runs: Mapping[str, Params]) -> Iterator[Leftover]:
    for run in runs:
        users = [user for user, params in runs.items() if params.pretrain is not None and params.pretrain.from_ == run]
        if all((root / summary_file(user)).exists() for user in (run, *users)):
            for path in sorted(root.glob(str(fold_folder(run, "*", "*") / "pretrain.safetensors"))):
                yield Leftover(path, "stage 1 of a finished run")
