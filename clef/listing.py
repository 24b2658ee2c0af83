"""What a copy holds, as short digests for the rule graph: a copy that is completed later makes stale what it completes.

Files are listed and nothing is opened, so that a graph is planned within seconds: names of images, names and sizes of
videos, zips and tables. A file that changed and kept its size passes here; DVC's pointers, where a data set has them,
say more. What is no longer there counts as it was: raw data may leave the disk once it is cropped.
"""

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from clef.datasets.base import Dataset, Sequence
from clef.errors import ClefError
from clef.files import write_text
from clef.numbered import IMAGE_SUFFIXES
from clef.params import digest

TABLES = (".csv", ".txt")
"""Suffixes of files of labels."""
SIZES_ASKED = 5000
"""Files of a folder whose size is asked; of more than that, of tables only."""
LABELS = "labels"


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

    def shard(self, name: str) -> str:
        """Digest of what a shard is cropped from; of the whole copy where shards lie mixed in one folder."""
        if name not in self._found:
            parts = self._recordings(name) if self._dataset.subjects() else self._everything
            self._found[name] = digest(parts) if parts else self._remembered.get(name, "")
        return self._found[name]

    def whole(self) -> str:
        """Digest of all shards and of the files of labels."""
        return digest(self._parts())

    def remember(self) -> None:
        """Write the digests down, for when the raw data has left the disk."""
        write_text(self._memory, json.dumps(self._parts(), indent=1) + "\n")

    def _parts(self) -> dict[str, str]:
        tables = self._everything if not self._dataset.subjects() else list(self._tables())
        labels = digest(tables) if tables else self._remembered.get(LABELS, "")
        return {name: self.shard(name) for name in self._dataset.shards()} | {LABELS: labels}

    def _recordings(self, shard: str) -> list[Any]:
        """Recordings of a shard; none where no file of theirs is there."""
        listed = self._by_shard.get(shard, [])
        states = [_state(self._root, sequence) for sequence in listed]
        if not any(state is not None for state in states):
            return []
        return [(s.source, s.inside, s.first_frame, state) for s, state in zip(listed, states, strict=True)]

    @cached_property
    def _remembered(self) -> dict[str, str]:
        return json.loads(self._memory.read_text(encoding="utf-8")) if self._memory.exists() else {}

    @cached_property
    def _by_shard(self) -> dict[str, list[Sequence]]:
        by_shard: dict[str, list[Sequence]] = {}
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

    def _tables(self) -> Iterator[tuple[str, str, int | None]]:
        """Files of labels with their sizes."""
        recordings = {sequence.source for listed in self._by_shard.values() for sequence in listed}
        for folder, names in self._walk(recordings):
            yield from ((folder, name, _size(self._root / folder / name)) for name in names if _is_table(name))

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
                if name.lower() not in self._dataset.unread
                and not name.startswith(".")
                and (here / name).as_posix() not in skipped
            )
            yield here.as_posix(), sorted(name for name in names if not name.startswith("."))


def _state(root: Path, sequence: Sequence) -> str | int | None:
    """Size of a recording's file, or digest of the names of its images; None where it is not there."""
    path, suffixes = root / sequence.source, tuple(IMAGE_SUFFIXES)
    if sequence.kind != "images":
        return _size(path)
    try:
        with os.scandir(path) as entries:
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
