"""Digests of the parts of a raw copy, which the rules compare to find stale results.

A digest comes from the content of a DVC pointer, from the settings of a rendered set, or else from the files. Files
are listed and not opened, so that Snakemake plans within seconds: names of images, names and sizes of videos and zips.
A change that keeps the size goes unnoticed without DVC. Label files are compared by content, since a corrected code is
as long as a wrong one.
"""

import json
import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.ingest.versions.pointers import LABELS, existing_pointers, pointer_path
from clef.params.schema import digest
from clef.recordings.numbered_images import IMAGE_SUFFIXES
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import file_hash, write_text

TABLES = (".csv", ".txt")
"""Suffixes of tables, whose sizes are compared in folders of any size."""
SIZES_COMPARED = 5000
"""Files of a folder, or recordings of a data set, up to which all sizes are compared."""


class RawDigests(ABC):
    """Digests of a raw copy."""

    def __init__(self, dataset: Dataset) -> None:
        """Take the adapter."""
        self._dataset = dataset

    @abstractmethod
    def shard(self, name: str) -> str:
        """Digest of everything that the crops of a shard depend on."""

    @abstractmethod
    def labels(self) -> str:
        """Digest of everything that only the labels depend on."""

    def shards(self) -> dict[str, str]:
        """Digests of all shards."""
        return {name: self.shard(name) for name in self._dataset.shards()}

    def whole(self) -> str:
        """Digest of the whole copy."""
        labels = self.labels if isinstance(self.labels, str) else self.labels()
        return digest([self.shards(), labels])

    def remember(self) -> None:  # noqa: B027 (only files can be removed)
        """Write the digests down before jobs start: files that are removed from the disk later keep theirs."""


def raw_digests(dataset: Dataset, root: Path, memory: Path) -> RawDigests:
    """Digests of a copy.

    Args:
        dataset: The adapter.
        root: The raw folder; it need not exist.
        memory: File for `RawDigests.remember`; it need not exist.
    """
    if existing_pointers(dataset, root):
        return _PointerDigests(dataset, root)
    if dataset.completion_marker() is not None:
        return _RenderDigests(dataset)
    return _FileDigests(dataset, root, memory)


class _PointerDigests(RawDigests):
    """Digests of a data set that DVC versions: a checkout of the same version keeps them."""

    def __init__(self, dataset: Dataset, root: Path) -> None:
        super().__init__(dataset)
        self._root = root

    def shard(self, name: str) -> str:
        return self._pointer(self._dataset.version_of(name))

    def labels(self) -> str:
        return self._pointer(LABELS)

    def _pointer(self, name: str) -> str:
        path = pointer_path(self._root, name)
        return file_hash(path)[:8] if path.exists() else ""


class _RenderDigests(RawDigests):
    """Digests of a rendered set: its settings. The rules also wait for its completion marker."""

    def shard(self, name: str) -> str:
        return self.labels()

    def labels(self) -> str:
        return digest(self._dataset.params.tracked("render"))


@dataclass(frozen=True)
class _Memory:
    """Digests when jobs were last started."""

    shards: dict[str, str] = field(default_factory=dict)
    labels: str = ""
    label_folders: dict[str, list[str]] = field(default_factory=dict)
    """By folder of label files: digest of their names, sizes and times, and digest of their contents."""


class _FileDigests(RawDigests):
    """Digests of files without versions. Parts that are missing keep their remembered digests."""

    def __init__(self, dataset: Dataset, root: Path, memory: Path) -> None:
        super().__init__(dataset)
        self._root = root
        self._memory = memory
        self._shard_digests: dict[str, str] = {}
        self._label_folders: dict[str, list[str]] = {}

    def shard(self, name: str) -> str:
        if name not in self._shard_digests:
            parts = self._all_folders if self._dataset.digest_whole_folder else self._recordings(name)
            self._shard_digests[name] = digest(parts) if parts else self._remembered.shards.get(name, "")
        return self._shard_digests[name]

    def labels(self) -> str:
        return self._labels

    @cached_property
    def _labels(self) -> str:
        whole = self._dataset.digest_whole_folder
        others = self._all_folders if whole else []
        recordings = set() if whole else {s.source for listed in self._by_shard.values() for s in listed}
        contents = []
        for folder, names in self._walk(recordings):
            own = [name for name in names if name.lower().endswith(self._dataset.label_suffixes)]
            contents += [(folder, self._content(folder, own))] if own else []
        return digest([others, contents]) if others or contents else self._remembered.labels

    def remember(self) -> None:
        memory = _Memory(self.shards(), self._labels, self._remembered.label_folders | self._label_folders)
        write_text(self._memory, json.dumps(asdict(memory), indent=1) + "\n")

    @cached_property
    def _remembered(self) -> _Memory:
        if not self._memory.exists():
            return _Memory()
        plain = json.loads(self._memory.read_text(encoding="utf-8"))
        return _Memory(**{part.name: plain[part.name] for part in fields(_Memory) if part.name in plain})

    def _recordings(self, shard: str) -> list[Any]:
        """Describe the recordings of a shard; empty if none of their files exists."""
        listed = self._by_shard.get(shard, [])
        states = [self._state(sequence) for sequence in listed]
        if all(state is None for state in states):
            return []
        return [(s.source, s.inside, s.first_frame, state) for s, state in zip(listed, states, strict=True)]

    def _state(self, sequence: RecordedSequence) -> str | int | None:
        """Size of a recording's file, or digest of the names of its images; None if it does not exist."""
        path = self._root / sequence.source
        if sequence.kind == "images":
            return _image_names(path)
        if self._has_too_many:
            return "there" if sequence.source in self._files else None
        return _size(path)

    @cached_property
    def _by_shard(self) -> dict[str, list[RecordedSequence]]:
        by_shard = defaultdict(list)
        try:
            for sequence in self._dataset.sequences(self._root):
                by_shard[sequence.shard].append(sequence)
        except (ClefError, OSError):  # `clef check` reports it
            return {}
        return by_shard

    @cached_property
    def _has_too_many(self) -> bool:
        return sum(map(len, self._by_shard.values())) > SIZES_COMPARED

    @cached_property
    def _files(self) -> set[str]:
        return {name if folder == "." else f"{folder}/{name}" for folder, names in self._walk(set()) for name in names}

    @cached_property
    def _all_folders(self) -> list[tuple[str, str]]:
        """Every folder below the root with a digest of the names and sizes in it; of too many files, of tables only."""
        described = []
        for folder, names in self._walk(set()):
            sized = [name for name in names if len(names) <= SIZES_COMPARED or name.lower().endswith(TABLES)]
            sizes = [_size(self._root / folder / name) for name in sized]
            described += [(folder, digest([names, sizes]))] if names else []
        return described

    def _content(self, folder: str, names: list[str]) -> str:
        """Digest of the contents of label files, which are read if one of them has another size or time."""
        paths = [self._root / folder / name for name in names]
        stats = digest([(path.name, *_size_and_time(path)) for path in paths])
        known = self._remembered.label_folders.get(folder)
        if known is None or known[0] != stats:
            known = [stats, digest([(path.name, file_hash(path)) for path in paths if path.is_file()])]
        self._label_folders[folder] = known
        return known[1]

    def _walk(self, skipped: set[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield folders that the adapter reads with the names of their files, both sorted."""
        visited = set()
        for folder, below, names in os.walk(self._root, followlinks=True):
            here, state = Path(folder).relative_to(self._root), os.stat(folder)
            if (state.st_dev, state.st_ino) in visited:  # a link to a folder above it
                below.clear()
                continue
            visited.add((state.st_dev, state.st_ino))
            below[:] = sorted(
                name
                for name in below
                if name.lower() not in self._dataset.ignored_folders
                and not name.startswith(".")
                and (here / name).as_posix() not in skipped
            )
            yield here.as_posix(), sorted(name for name in names if not name.startswith("."))


def _image_names(folder: Path) -> str | None:
    suffixes = tuple(IMAGE_SUFFIXES)
    try:
        with os.scandir(folder) as entries:
            return digest(sorted(entry.name for entry in entries if entry.name.lower().endswith(suffixes)))
    except OSError:
        return None


def _size(path: Path) -> int | None:
    return _size_and_time(path)[0]


def _size_and_time(path: Path) -> tuple[int | None, int | None]:
    try:
        state = path.stat()
    except OSError:
        return None, None
    return state.st_size, state.st_mtime_ns


class Listing(_FileDigests):
    """For the rules as they are; goes as soon as they use `raw_digests`."""

    @property
    def labels(self) -> str:  # type: ignore[override]
        """Digest of the labels."""
        return self._labels
