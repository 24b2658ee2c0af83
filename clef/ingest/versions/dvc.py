"""Write the DVC pointers of a data set, and send its files to a remote.

DVC hashes in parallel, keeps a copy or link of every file in its cache, and knows the remotes. This module decides
which files belong to which shard.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_objects.fs.errors import AuthError, ConfigError, RemoteMissingDepsError
from dvc_objects.fs.generic import test_links
from scmrepo.exceptions import SCMError

from clef.datasets.base import Dataset
from clef.errors import ClefError, abbreviate
from clef.ingest.disk_space import require_space
from clef.ingest.versions.pointers import LABELS, measure, pointer_path, read_pointer
from clef.runtime.paths import link_target

log = logging.getLogger(__name__)

DVC_ERRORS = (DvcException, SCMError, AuthError, ConfigError, RemoteMissingDepsError, ImportError)
"""DVC errors that users can fix. ImportError means that a package for the remote is not installed."""


def open_repository(checkout: Path) -> Repo:
    """Open the checkout, a git repository, as a DVC repository, after `dvc init` if needed."""
    if not (checkout / ".git").exists():
        raise ClefError(f"{checkout}: not a git repository; data versions are git commits: run `git init` first")
    with _one_line_errors():
        if (checkout / ".dvc").is_dir():
            return Repo(str(checkout))
        log.info("%s: dvc init", checkout)
        return Repo.init(str(checkout))


def raw_paths(dataset: Dataset, root: Path) -> dict[str, list[str]]:
    """Assign the files of the raw folder to pointers.

    A pointer gets the folders of its recordings, and folders above that hold nothing else. Recordings in a folder that
    holds those of another pointer are listed one by one. Everything else, such as label files, goes to the labels
    pointer, except folders that the adapter ignores. Paths are relative to `root` and sorted, by name of the pointer.
    """
    pointer_of = {shard: dataset.version_of(shard) for shard in dataset.shards()}
    sources: dict[str, set[PurePosixPath]] = defaultdict(set)
    owners: dict[PurePosixPath, set[str]] = defaultdict(set)
    for sequence in dataset.sequences(root):
        name, source = pointer_of[sequence.shard], PurePosixPath(sequence.source)
        sources[name].add(source)
        for path in [source, *source.parents][:-1]:
            owners[path].add(name)
    empty = sorted(set(pointer_of.values()) - set(sources))
    if empty:
        raise ClefError(f"{root}: no recordings of {abbreviate(empty)} found; expected some: complete the copy")
    widest = _widest_folders(root, owners)
    paths = {}
    for name, own in sources.items():
        folders = {widest(source) for source in own}
        paths[name] = sorted(str(path) for path in folders if folders.isdisjoint(path.parents))
    assigned = {root / path for own in paths.values() for path in own}
    paths[LABELS] = sorted(_unassigned(root, root, owners, assigned, dataset.ignored_folders))
    return dict(sorted(paths.items()))


def version_data(
    repository: Repo, dataset: Dataset, root: Path, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Update the pointers to the current raw files, put the files into DVC's cache, and return changed pointers."""
    _refuse_links(repository, dataset, root)
    wanted = {pointer_path(root, name): paths for name, paths in raw_paths(dataset, root).items()}
    needed = _bytes_to_copy(repository, root, chain(*wanted.values()))
    require_space(Path(repository.cache.local.path), needed, "copies of the changed files")
    changed = []
    with _one_line_errors(), repository.lock:
        stages = {}
        for path, own in wanted.items():  # as `dvc add`, with several paths in one pointer
            names = {"fname": str(path.absolute()), "wdir": str(path.parent.absolute())}
            stages[path] = repository.stage.create(single_stage=True, validate=False, force=True, outs=own, **names)
        repository.check_graph(stages=list(stages.values()))
        for done, (pointer, stage) in enumerate(stages.items(), start=1):
            before = pointer.read_bytes() if pointer.exists() else None
            stage.add_outs()
            stage.dump()
            if pointer.read_bytes() != before:
                changed.append(pointer)
            if progress is not None:
                progress(done, len(wanted))
    return changed


def _refuse_links(repository: Repo, dataset: Dataset, root: Path) -> None:
    """Refuse a raw folder that is a link or has links, except those that DVC itself made into its cache.

    Pointers are written beside the data, and git does not follow links. DVC would replace a linked file by a copy, and,
    depending on `cache.type`, the files in a linked folder by links into the cache.
    """
    if (target := link_target(root)) is not None:
        raise ClefError(
            f"{root}: leads to {target}, and git and DVC do not follow links: put or mount the data at {root}, "
            "or version it in the checkout that has it"
        )
    cache = os.path.realpath(repository.cache.local.path)
    links = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name.lower() not in dataset.ignored_folders]
        paths = (os.path.join(folder, name) for name in (*folders, *files) if not name.startswith("."))
        links += [
            path for path in paths if os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(cache)
        ]
    if links:
        names = abbreviate([os.path.relpath(link, root) for link in sorted(links)])
        raise ClefError(
            f"{root}: links inside: {names}; DVC would replace them, or the files that they lead to: put or mount the "
            "files themselves there"
        )


def remote_address(repository: Repo, remote: str | None) -> tuple[str, str]:
    """Name and address of a remote, by default of the default one."""
    known = repository.config["remote"]
    name = remote or repository.config["core"].get("remote")
    if name is None:
        raise ClefError("no default remote; set one with `dvc remote add --default NAME ADDRESS`, or name one")
    if name not in known:
        raise ClefError(f"no remote {name}; expected one of {', '.join(sorted(known)) or 'none so far'}")
    return name, known[name]["url"]


def is_local(address: str) -> bool:
    """Return whether a remote is a folder on this machine."""
    return urlsplit(address).scheme in ("", "file", "local")


def push(
    repository: Repo, pointers: list[Path], remote: str, progress: Callable[[int, int], None] | None = None
) -> int:
    """Send the files of pointers to a remote, and count those that it did not have."""
    sent = 0
    with _one_line_errors():
        for done, pointer in enumerate(pointers, start=1):
            sent += repository.push(targets=[str(pointer)], remote=remote)
            if progress is not None:
                progress(done, len(pointers))
    return sent


def _bytes_to_copy(repository: Repo, root: Path, paths: Iterable[str]) -> int:
    """Bytes of changed files that DVC will copy to its cache; 0 if the disk can link instead."""
    local = repository.cache.local
    links = [kind for kind in local.cache_types if kind != "copy"]
    if test_links(links, local.fs, local.path, repository.fs, str(root.absolute())):
        return 0
    recorded = {part for pointer in root.glob("*.dvc") for part in read_pointer(pointer)}
    return sum(part.size for part in map(measure, (root / path for path in paths)) if part not in recorded)


def _widest_folders(root: Path, owners: Mapping[PurePosixPath, set[str]]) -> Callable[[PurePosixPath], PurePosixPath]:
    """Return a function that finds the widest folder around a recording that belongs to its pointer alone."""

    @cache
    def widen(folder: PurePosixPath) -> PurePosixPath:
        above = folder.parent
        if len(owners.get(above, ())) != 1:
            return folder
        entries = (above / path.name for path in (root / above).iterdir() if not path.name.startswith("."))
        return widen(above) if all(entry in owners for entry in entries) else folder

    def widest(source: PurePosixPath) -> PurePosixPath:
        return widen(source.parent) if len(owners.get(source.parent, ())) == 1 else source

    return widest


def _unassigned(
    folder: Path, root: Path, owners: Collection[PurePosixPath], assigned: set[Path], ignored: Collection[str]
) -> Iterator[str]:
    """Yield everything below a folder that is not assigned, in as few paths as possible."""
    for path in folder.iterdir():
        relative = PurePosixPath(path.relative_to(root).as_posix())
        name = path.name
        if path in assigned or path.suffix == ".dvc" or name.startswith(".") or name.lower() in ignored:
            continue
        if relative in owners:
            yield from _unassigned(path, root, owners, assigned, ignored)
        else:
            yield str(relative)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except DVC_ERRORS as error:
        raise ClefError(f"dvc: {' '.join(str(error).split())}") from error
