"""Digests of the parts of a raw copy, which the rules compare to find stale results.

A digest comes from the content of a DVC pointer, from the settings of a rendered set, or else from the files. Files
are listed and not opened, so that Snakemake plans within seconds: names of images, names and sizes of videos and zips.
A change that keeps the size goes unnoticed without DVC. Label files are compared by content, since a corrected code is
as long as a wrong one. AffectNet has 290,000 of them, so their digests are kept in `label-digests.json`, also by a dry
run, until the size, time or inode of a file changes.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.ingest.versions.pointers import LABELS, existing_pointers
from clef.params.schema import digest
from clef.recordings.numbered_images import IMAGE_SUFFIXES
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import file_hash, write_text

TABLES = (".csv", ".txt")
"""Suffixes of tables, whose sizes are compared in folders of any size."""
SIZES_COMPARED = 5000
"""Files of a folder, or recordings of a data set, up to which all sizes are compared."""


class RawDigests:
    """Digests of a raw copy. The raw folder `root` and the file `memory` of `remember` may be missing."""

    def __init__(self, dataset: Dataset, root: Path, memory: Path) -> None:
        self._dataset = dataset
        self._root = root
        self._memory = memory
        self._label_cache = memory.with_name("label-digests.json")
        self._pointers = {path.stem: path for path in existing_pointers(dataset, root)}
        self._settings = digest(dataset.params.tracked("render")) if dataset.completion_marker() else ""

    def shard(self, name: str) -> str:
        """Digest of everything that the crops of a shard depend on."""
        if self._pointers:
            return self._pointer(self._dataset.version_of(name))
        if self._settings:
            return self._settings
        parts = self._folders if self._dataset.digest_whole_folder else self._recordings(name)
        return digest(parts) if parts else self._remembered.get("shards", {}).get(name, "")

    @cached_property
    def labels(self) -> str:
        """Digest of everything that the labels depend on."""
        if self._pointers:
            return self._pointer(LABELS)
        if self._settings:
            return self._settings
        folders = self._folders if self._dataset.digest_whole_folder else []
        recordings = set() if folders else {s.source for listed in self._by_shard.values() for s in listed}
        cached = _read_json(self._label_cache)
        contents, current = [], {}
        for folder, names in self._walk(recordings):
            paths = [
                self._root / folder / name for name in names if name.lower().endswith(self._dataset.label_suffixes)
            ]
            if paths:
                facts = digest([(path.name, *_identity(path)) for path in paths])
                current[folder] = cached.get(folder, ["", ""])
                if current[folder][0] != facts:
                    hashes = [(path.name, file_hash(path) if os.access(path, os.R_OK) else None) for path in paths]
                    current[folder] = [facts, digest(hashes)]
                contents.append((folder, current[folder][1]))
        if contents and current != cached:
            with suppress(OSError):  # a read-only checkout: files are read at every plan
                write_text(self._label_cache, json.dumps(current, indent=1) + "\n")
        return digest([folders, contents]) if folders or contents else self._remembered.get("labels", "")

    @cached_property
    def whole(self) -> str:
        """Digest of the whole copy."""
        return digest([self._shards(), self.labels])

    def remember(self) -> None:
        """Write down the digests of files when jobs start, for files that are later removed from the disk."""
        if not self._pointers and not self._settings:
            memory = {"shards": self._shards(), "labels": self.labels}
            write_text(self._memory, json.dumps(memory, indent=1) + "\n")

    def _shards(self) -> dict[str, str]:
        return {name: self.shard(name) for name in self._dataset.shards()}

    def _pointer(self, name: str) -> str:
        return file_hash(self._pointers[name])[:8] if name in self._pointers else ""

    @cached_property
    def _remembered(self) -> dict[str, Any]:
        return _read_json(self._memory)

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
            try:
                names = sorted(os.listdir(path))
            except OSError:
                return None
            return digest([name for name in names if name.lower().endswith(tuple(IMAGE_SUFFIXES))])
        if self._files is not None:
            return "there" if sequence.source in self._files else None
        return _identity(path)[0]

    @cached_property
    def _files(self) -> set[str] | None:
        """All files, if there are too many recordings to query the size of each."""
        if sum(map(len, self._by_shard.values())) <= SIZES_COMPARED:
            return None
        return {(Path(folder) / name).as_posix() for folder, names in self._walk(set()) for name in names}

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
    def _folders(self) -> list[tuple[str, str]]:
        """Every folder below the root with a digest of the names and sizes in it; of too many files, of tables only."""
        described = []
        for folder, names in self._walk(set()):
            sized = [name for name in names if len(names) <= SIZES_COMPARED or name.lower().endswith(TABLES)]
            sizes = [_identity(self._root / folder / name)[0] for name in sized]
            described += [(folder, digest([names, sizes]))] if names else []
        return described

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


def _identity(path: Path) -> tuple[int | None, ...]:
    """Size, time and inode: a corrected label file has another one of them."""
    try:
        state = path.stat()
    except OSError:
        return None, None, None
    return state.st_size, state.st_mtime_ns, state.st_ino


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
