"""What a copy holds, as short digests for the rule graph: a copy that is completed later makes stale what it completes.

Recordings are listed and not opened, so that a graph is planned within seconds: names of images, names and sizes of
videos and zips. One that changed and kept its size passes here; DVC's pointers, where a data set has them, say more.
Files of labels are compared by what is in them, since a corrected code is as long as a wrong one; each is read again
only when its size or time is new. What is no longer there counts as it was: raw data may leave the disk once it is
cropped.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.params.schema import digest
from clef.recordings.numbered_images import IMAGE_SUFFIXES
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import write_text

TABLES = (".csv", ".txt")
"""Suffixes of files of labels."""
SIZES_ASKED = 5000
"""Files of a folder, or recordings of a data set, whose size is asked; of more than that, of tables only."""
TABLES_READ = 5000
"""Tables of a folder that are read; of more than that, such as a file of landmarks an image, the sizes are asked."""


@dataclass(frozen=True)
class Memory:
    """What was seen when jobs were last started."""

    shards: dict[str, str] = field(default_factory=dict)
    labels: str = ""
    tables: dict[str, list[Any]] = field(default_factory=dict)
    """Size, time of change in nanoseconds and SHA-256 of each table, by its path below the raw folder."""


class Listing:
    """Digests of a copy's parts.

    Args:
        dataset: The adapter.
        root: The raw folder; it need not exist.
        memory: File with the digests when jobs were last started; it need not exist.
    """

    def __init__(self, dataset: Dataset, root: Path, memory: Path) -> None:
        self._dataset = dataset
        self._root = root
        self._memory = memory
        self._found: dict[str, str] = {}
        self._read: dict[str, list[Any]] = {}

    def shard(self, name: str) -> str:
        """Digest of what a shard is cropped from; of the whole copy where only large tables tell what that is."""
        if name not in self._found:
            parts = self._everything if self._dataset.digest_whole_folder else self._recordings(name)
            self._found[name] = digest(parts) if parts else self._remembered.shards.get(name, "")
        return self._found[name]

    @cached_property
    def labels(self) -> str:
        """Digest of the files of labels, and of all else where shards are the whole copy."""
        others = self._everything if self._dataset.digest_whole_folder else []
        tables = list(self._tables())
        return digest([others, tables]) if others or tables else self._remembered.labels

    def whole(self) -> str:
        """Digest of all shards and of the files of labels."""
        return digest([self._shards(), self.labels])

    def remember(self) -> None:
        """Write the digests down, for when the raw data has left the disk or is as it was."""
        seen = Memory(self._shards(), self.labels, self._remembered.tables | self._read)
        write_text(self._memory, json.dumps(asdict(seen), indent=1) + "\n")

    def _shards(self) -> dict[str, str]:
        return {name: self.shard(name) for name in self._dataset.shards()}

    def _recordings(self, shard: str) -> list[Any]:
        """Recordings of a shard; none where no file of theirs is there."""
        listed = self._by_shard.get(shard, [])
        states = [self._state(sequence) for sequence in listed]
        if not any(state is not None for state in states):
            return []
        return [(s.source, s.inside, s.first_frame, state) for s, state in zip(listed, states, strict=True)]

    def _state(self, sequence: RecordedSequence) -> str | int | None:
        """Size of a recording's file, or digest of the names of its images; None where it is not there."""
        path = self._root / sequence.source
        if sequence.kind == "images":
            return _names_of_images(path)
        if self._many:
            return "there" if sequence.source in self._files else None
        return _size(path)

    @cached_property
    def _many(self) -> bool:
        return sum(map(len, self._by_shard.values())) > SIZES_ASKED

    @cached_property
    def _files(self) -> set[str]:
        return {name if folder == "." else f"{folder}/{name}" for folder, names in self._walk(set()) for name in names}

    @cached_property
    def _remembered(self) -> Memory:
        if not self._memory.exists():
            return Memory()
        plain = json.loads(self._memory.read_text(encoding="utf-8"))
        return Memory(**{part.name: plain[part.name] for part in fields(Memory) if part.name in plain})

    @cached_property
    def _by_shard(self) -> dict[str, list[RecordedSequence]]:
        by_shard: dict[str, list[RecordedSequence]] = {}
        try:
            sequences = self._dataset.sequences(self._root)
        except (ClefError, OSError):  # nothing there that fits or can be read: `clef check` says what
            sequences = []
        for sequence in sequences:
            by_shard.setdefault(sequence.shard, []).append(sequence)
        return by_shard

    @cached_property
    def _everything(self) -> list[tuple[str, str]]:
        """Every folder below the root, with a digest of the names in it and of sizes, unless they are too many."""
        listed = []
        for folder, names in self._walk(set()):
            sized = names if len(names) <= SIZES_ASKED else [name for name in names if _is_table(name)]
            sizes = [_size(self._root / folder / name) for name in sized]
            listed += [(folder, digest([names, sizes]))] if names else []
        return listed

    def _tables(self) -> Iterator[tuple[str, str, str | int | None]]:
        """Files of labels with digests of what is in them, or with their sizes where they are too many."""
        whole = self._dataset.digest_whole_folder
        recordings = set() if whole else {s.source for listed in self._by_shard.values() for s in listed}
        for folder, names in self._walk(recordings):
            tables = [name for name in names if _is_table(name)]
            for name in tables:
                path = self._root / folder / name
                yield folder, name, self._content(path) if len(tables) <= TABLES_READ else _size(path)

    def _content(self, path: Path) -> str | None:
        """Digest of what is in a table, which is read unless it is as it was by size and time."""
        name = path.relative_to(self._root).as_posix()
        try:
            stat = path.stat()
            known = self._remembered.tables.get(name)
            if known is None or known[:2] != [stat.st_size, stat.st_mtime_ns]:
                with path.open("rb") as file:
                    known = [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()]
        except OSError:
            return None
        self._read[name] = known
        return str(known[2])

    def _walk(self, skipped: set[str]) -> Iterator[tuple[str, list[str]]]:
        """Folders and the names of their files, both sorted, without what the adapter does not read."""
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


def _names_of_images(folder: Path) -> str | None:
    suffixes = tuple(IMAGE_SUFFIXES)
    try:
        with os.scandir(folder) as entries:
            return digest(sorted(entry.name for entry in entries if entry.name.lower().endswith(suffixes)))
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_table(name: str) -> bool:
    return name.lower().endswith(TABLES)
