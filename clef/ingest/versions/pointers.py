"""DVC pointers of a data set: where they are, what they record, and whether the raw files agree with them.

`data/raw/{dataset}/{shard}.dvc` records the recordings of a shard, and `data/raw/{dataset}/labels.dvc` the labels and
all other files. A pointer is a small YAML file in git with the hash, size and number of files of each path. This module
does not import DVC, because every start of Snakemake needs it; `clef.ingest.versions.dvc` writes the pointers.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

from clef.datasets.base import Dataset
from clef.errors import ClefError, abbreviate
from clef.ingest.report import plural
from clef.runtime.paths import link_target

LABELS = "labels"
"""Name of the pointer for files that belong to no shard."""


@dataclass(frozen=True)
class Versioned:
    """A file or folder as a pointer records it."""

    path: Path
    size: int
    """Total bytes."""
    files: int


def pointer_path(root: Path, name: str) -> Path:
    """Path of a pointer, which need not exist."""
    return root / f"{name}.dvc"


def pointer_names(dataset: Dataset) -> list[str]:
    """Names of all pointers of a versioned copy, sorted. None needs to exist."""
    return sorted({dataset.version_of(shard) for shard in dataset.shards()} | {LABELS})


def existing_pointers(dataset: Dataset, root: Path) -> list[Path]:
    """Existing pointers; empty for a data set without versions."""
    return [path for name in pointer_names(dataset) if (path := pointer_path(root, name)).exists()]


def read_pointer(pointer: Path) -> list[Versioned]:
    """Read the files and folders that a pointer records."""
    try:
        outs = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]
        return [Versioned(pointer.parent / out["path"], out["size"], out.get("nfiles", 1)) for out in outs]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise ClefError(
            f"{pointer}: not a DVC pointer (a merge conflict?); restore it with `git checkout {pointer}`"
        ) from None


def check_fetched(pointers: list[Path], root: Path) -> None:
    """Refuse pointers whose data was not pulled, with the `dvc pull` that fetches it."""
    missing = [pointer for pointer in pointers if not all(part.path.exists() for part in read_pointer(pointer))]
    if missing:
        raise ClefError(
            f"{root}: versioned, but not pulled: {abbreviate([pointer.stem for pointer in missing])}; "
            f"run `{_dvc_command('pull', missing, root)}`"
        )


def _dvc_command(action: str, pointers: list[Path], root: Path) -> str:
    """The DVC command for pointers, to run in the checkout that has them; the raw folder may be a link to it."""
    target = link_target(root)
    if target is not None:
        names, folder, program = [pointer.name for pointer in pointers], ".", f"dvc --cd {shlex.quote(str(target))}"
    else:
        names, folder, program = list(map(str, pointers)), str(root), "dvc"
    return f"{program} {action} {' '.join(names) if len(names) <= 3 else f'--recursive {folder}'}"


def changes(dataset: Dataset, root: Path, most_files: int | None = None) -> list[str]:
    """Describe raw files that differ from their pointers in size or number, and pointers that are missing or unseen.

    Nothing is hashed: only `dvc status` finds a change that keeps every size. With `most_files`, compare at most so
    many files, and skip missing ones.
    """
    found, left = [], most_files
    pointers = existing_pointers(dataset, root)
    target = link_target(root)
    if pointers and target is not None and not any((folder / ".dvc").is_dir() for folder in target.parents):
        found.append(
            f"{root}: a link to versioned files in no checkout, {target}: git and DVC do not follow it, and a "
            f"`dvc checkout` can delete the files; move them back, or mount them at {root}"
        )
    for pointer in pointers:
        for recorded in read_pointer(pointer):
            if left is not None:
                left -= recorded.files
                if left < 0 or not recorded.path.exists():
                    continue
            now = measure(recorded.path)
            if now != recorded:
                checkout = _dvc_command("checkout", [pointer], root)
                found.append(
                    f"{recorded.path}: {plural(now.files, 'file')} and {now.size} bytes, but {pointer.name} records "
                    f"{plural(recorded.files, 'file')} and {recorded.size}: if the files are right, run "
                    f"`clef version-data {dataset.name}`; if the pointer is, `{checkout}`"
                )
    without = [name for name in pointer_names(dataset) if pointer_path(root, name) not in pointers]
    if pointers and without:
        found.append(f"{root}: no pointer for {abbreviate(without)}: run `clef version-data {dataset.name}`")
    return found


def measure(path: Path) -> Versioned:
    """Describe a file or folder as a pointer would record it. Links count as their targets."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return Versioned(path, sum(file.stat().st_size for file in files), len(files))
