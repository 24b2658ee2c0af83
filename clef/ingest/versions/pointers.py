"""DVC's pointers of a data set: where they lie, what they record, and whether the raw files agree with them.

`data/raw/{dataset}/{shard}.dvc` stands for the recordings of a shard, `data/raw/{dataset}/labels.dvc` for labels and
all else that belongs to no shard. A pointer is a small YAML file in git with the hash, size and number of files of each
path it stands for. Nothing here needs DVC: the rule graph asks, and `clef.ingest.versions.dvc` makes them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.runtime.wording import abbreviate

log = logging.getLogger(__name__)

LABELS = "labels"
"""Name of the pointer of what is no shard's."""
MOST_PULLED = 3


@dataclass(frozen=True)
class Versioned:
    """A file or folder as a pointer records it."""

    path: Path
    size: int
    """Bytes in all."""
    files: int


def pointer_path(root: Path, name: str) -> Path:
    """Where the pointer of that name lies, if there is one."""
    return root / f"{name}.dvc"


def pointer_names(dataset: Dataset) -> list[str]:
    """Names of all pointers that a versioned copy has, sorted; none needs to exist."""
    return sorted({dataset.version_of(shard) for shard in dataset.shards()} | {LABELS})


def existing_pointers(dataset: Dataset, root: Path) -> list[Path]:
    """The pointers that are there: none for a data set that is not versioned."""
    return [path for name in pointer_names(dataset) if (path := pointer_path(root, name)).exists()]


def read_pointer(pointer: Path) -> list[Versioned]:
    """What a pointer stands for.

    Raises:
        ClefError: The file is no pointer of DVC's.
    """
    try:
        outs = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]
        return [Versioned(pointer.parent / out["path"], out["size"], out.get("nfiles", 1)) for out in outs]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise ClefError(
            f"{pointer}: no pointer of DVC's (a conflict of two versions?); restore it with `git checkout {pointer}`"
        ) from None


def check_fetched(pointers: list[Path], root: Path) -> None:
    """Stop where a pointer is there and its data is not.

    Args:
        pointers: Of the data about to be read.
        root: The data set's raw folder.

    Raises:
        ClefError: Names the `dvc pull` that brings the data.
    """
    missing = [pointer for pointer in pointers if not all(part.path.exists() for part in read_pointer(pointer))]
    if not missing:
        return
    few = len(missing) <= MOST_PULLED
    command = f"dvc pull {' '.join(map(str, missing))}" if few else f"dvc pull --recursive {root}"
    raise ClefError(f"{root}: not here, though versioned: {_named(missing)}; run `{command}`")


def warn_of_changes(dataset: Dataset, root: Path) -> None:
    """Warn of all that `changes` finds."""
    for change in changes(dataset, root):
        log.warning("%s", change)


def changes(dataset: Dataset, root: Path, most_files: int | None = None) -> list[str]:
    """Raw files that differ from their pointers in size or number, and shards without a pointer, a line each.

    Nothing is hashed: a change that keeps every size passes here, and not in `dvc status`.

    Args:
        dataset: The adapter.
        root: The data set's raw folder.
        most_files: Look at no more files than that; what is not there at all is not looked for either. Without, at all.
    """
    pointers = existing_pointers(dataset, root)
    if not pointers:
        return []
    found, left = [], most_files
    for pointer in pointers:
        for part in read_pointer(pointer):
            if left is not None:
                left -= part.files
                if left < 0 or not part.path.exists():
                    continue
            now = measured(part.path)
            if now != part:
                found.append(
                    f"{part.path}: {_counted(now.files)} and {now.size} bytes, but {pointer.name} records "
                    f"{_counted(part.files)} and {part.size}: where the files are right run "
                    f"`clef version-data {dataset.name}`, where the pointer is, `dvc checkout {pointer}`"
                )
    without = [path for name in pointer_names(dataset) if (path := pointer_path(root, name)) not in pointers]
    if without:
        found.append(f"{root}: no pointer for {_named(without)}: run `clef version-data {dataset.name}`")
    return found


def measured(path: Path) -> Versioned:
    """A file or folder as its pointer would record it now; nothing hashed."""
    sizes = list(_sizes(path))
    return Versioned(path, sum(sizes), len(sizes))


def _sizes(path: Path) -> Iterator[int]:
    """Bytes of the file, or of every file below the folder; links count as what they point to."""
    if not path.is_dir():
        yield path.stat().st_size
        return
    for file in path.rglob("*"):
        if file.is_file():
            yield file.stat().st_size


def _named(pointers: list[Path]) -> str:
    return abbreviate([pointer.stem for pointer in pointers])


def _counted(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"
