"""DVC's pointers of a data set: where they lie, what they record, and whether the raw files agree with them.

`data/raw/{dataset}/{shard}.dvc` stands for the recordings of a shard, `data/raw/{dataset}/labels.dvc` for labels and
all else that belongs to no shard. A pointer is a small YAML file in git with the hash, size and number of files of each
path it stands for. Nothing here needs DVC: the rule graph asks, and `clef.versioning` makes them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from clef.datasets.base import Dataset
from clef.errors import ClefError

log = logging.getLogger(__name__)

LABELS = "labels"
"""Name of the pointer of what is no shard's."""
MOST_NAMED = 8
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
    """Warn of raw files that differ from their pointers in size or number, and of shards without a pointer.

    Nothing is hashed: a change that keeps every size passes here, and not in `dvc status`.
    """
    pointers = existing_pointers(dataset, root)
    if not pointers:
        return
    for pointer in pointers:
        for part in read_pointer(pointer):
            sizes = list(_sizes(part.path))
            if (len(sizes), sum(sizes)) != (part.files, part.size):
                log.warning(
                    "%s: %s and %d bytes, but %s records %s and %d: "
                    "where the files are right run `clef version-data %s`, where the pointer is, `dvc checkout %s`",
                    part.path,
                    _counted(len(sizes)),
                    sum(sizes),
                    pointer.name,
                    _counted(part.files),
                    part.size,
                    dataset.name,
                    pointer,
                )
    without = [path for name in pointer_names(dataset) if (path := pointer_path(root, name)) not in pointers]
    if without:
        log.warning("%s: no pointer for %s: run `clef version-data %s`", root, _named(without), dataset.name)


def _sizes(path: Path) -> Iterator[int]:
    """Bytes of the file, or of every file below the folder; links count as what they point to."""
    if not path.is_dir():
        yield path.stat().st_size
        return
    for file in path.rglob("*"):
        if file.is_file():
            yield file.stat().st_size


def _named(pointers: list[Path]) -> str:
    more = f" and {len(pointers) - MOST_NAMED} more" if len(pointers) > MOST_NAMED else ""
    return ", ".join(pointer.stem for pointer in pointers[:MOST_NAMED]) + more


def _counted(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"
