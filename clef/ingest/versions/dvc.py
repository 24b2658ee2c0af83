"""Make DVC's pointers of a data set's raw files, and send the files to a remote.

DVC does the work: it hashes in parallel, keeps a copy or link of every file in its cache, and knows the remotes. Here
is only what it cannot know: which files belong to which shard. `clef.ingest.versions.pointers` names the pointers.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_objects.fs.errors import AuthError, ConfigError, RemoteMissingDepsError
from dvc_objects.fs.generic import test_links
from scmrepo.exceptions import SCMError

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.ingest.versions.pointers import LABELS, measure, pointer_path, read_pointer
from clef.runtime.disk_space import require_space

if TYPE_CHECKING:
    from dvc.stage import Stage

log = logging.getLogger(__name__)

TOLD = (DvcException, SCMError, AuthError, ConfigError, RemoteMissingDepsError, ImportError)
"""Errors of DVC's that say in one line what is wrong; it raises ImportError for a remote whose package is missing."""


def open_repository(checkout: Path) -> Repo:
    """The checkout as DVC sees it; set up with `dvc init` where that was not done.

    Raises:
        ClefError: Not a git repository, whose commits the versions are.
    """
    if not (checkout / ".git").exists():
        raise ClefError(f"{checkout}: not a git repository; data versions are git commits: run `git init` first")
    try:
        if (checkout / ".dvc").is_dir():
            return Repo(str(checkout))
        log.info("%s: dvc init", checkout)
        return Repo.init(str(checkout))
    except TOLD as error:
        raise _told(error) from error


def raw_paths(dataset: Dataset, root: Path) -> dict[str, list[str]]:
    """Sort what lies in the raw folder into pointers.

    A pointer gets the folders that its recordings lie in, and those above that hold nothing else; recordings that share
    a folder with another pointer's stand for themselves. What then is left, label files first of all, is the labels
    pointer's, but for folders that nothing reads.

    Args:
        dataset: The adapter.
        root: The data set's raw folder.

    Returns:
        Paths relative to `root`, sorted, by the name of the pointer.

    Raises:
        ClefError: A shard has no recordings.
    """
    pointer_of = {shard: dataset.version_of(shard) for shard in dataset.shards()}
    sources: dict[str, set[PurePosixPath]] = defaultdict(set)
    holders: dict[PurePosixPath, set[str]] = defaultdict(set)
    for sequence in dataset.sequences(root):
        name, source = pointer_of[sequence.shard], PurePosixPath(sequence.source)
        sources[name].add(source)
        for path in _upwards(source):
            holders[path].add(name)
    empty = sorted(set(pointer_of.values()) - set(sources))
    if empty:
        raise ClefError(f"{root}: no recordings of {', '.join(empty[:8])} found; expected some: complete the copy")
    whole = _whole_folders(root, holders)
    paths = {name: _outermost({whole(source) for source in own}) for name, own in sources.items()}
    taken = {root / path for own in paths.values() for path in own}
    paths[LABELS] = sorted(_rest(root, root, set(holders), taken, dataset.ignored_folders))
    return dict(sorted(paths.items()))


def version_data(
    repository: Repo, dataset: Dataset, root: Path, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Make the pointers say what the raw files are now, and put the files into DVC's cache.

    Args:
        repository: The checkout.
        dataset: The adapter.
        root: The data set's raw folder, inside the checkout.
        progress: Called with pointers done and pointers in all.

    Returns:
        The pointers that are new or say something else than before.

    Raises:
        ClefError: A shard has no recordings, the folder is a link, not even half of what is to be copied fits on the
            disk of DVC's cache, or DVC refuses.
    """
    _check_inside(Path(repository.root_dir), root)
    wanted = raw_paths(dataset, root)
    cache = Path(repository.cache.local.path)
    require_space({cache: _to_copy(repository, root, wanted)}, purpose="a copy of what changed needs")
    changed = []
    try:
        with repository.lock:
            stages = {name: _stage(repository, pointer_path(root, name), paths) for name, paths in wanted.items()}
            repository.check_graph(stages=list(stages.values()))
            for done, (name, stage) in enumerate(stages.items(), start=1):
                pointer = pointer_path(root, name)
                before = pointer.read_bytes() if pointer.exists() else None
                stage.add_outs()
                stage.dump()
                if pointer.read_bytes() != before:
                    changed.append(pointer)
                if progress is not None:
                    progress(done, len(wanted))
    except TOLD as error:
        raise _told(error) from error
    return changed


def remote_address(repository: Repo, remote: str | None) -> tuple[str, str]:
    """Name and address of a remote, or of the default one.

    Raises:
        ClefError: No such remote.
    """
    known = repository.config["remote"]
    name = remote or repository.config["core"].get("remote")
    if name is None:
        raise ClefError("no default remote; set one with `dvc remote add --default NAME ADDRESS`, or name one")
    if name not in known:
        raise ClefError(f"no remote {name}; expected one of {', '.join(sorted(known)) or 'none so far'}")
    return name, known[name]["url"]


def is_local(address: str) -> bool:
    """True where a remote is a folder of this machine."""
    return urlsplit(address).scheme in ("", "file", "local")


def push(
    repository: Repo, pointers: list[Path], remote: str, progress: Callable[[int, int], None] | None = None
) -> int:
    """Send the files of some pointers to a remote.

    Args:
        repository: The checkout.
        pointers: Whose files.
        remote: Its name.
        progress: Called with pointers sent and pointers in all.

    Returns:
        How many files went; those that were there already do not.

    Raises:
        ClefError: DVC cannot reach the remote, or what it should send is not in its cache.
    """
    sent = 0
    try:
        for done, pointer in enumerate(pointers, start=1):
            sent += repository.push(targets=[str(pointer)], remote=remote)
            if progress is not None:
                progress(done, len(pointers))
    except TOLD as error:
        raise _told(error) from error
    return sent


def _stage(repository: Repo, pointer: Path, paths: list[str]) -> "Stage":
    """What `dvc add` makes of a path, with several paths for one pointer."""
    return repository.stage.create(
        single_stage=True,
        validate=False,
        force=True,
        fname=str(pointer.absolute()),
        wdir=str(pointer.parent.absolute()),
        outs=paths,
    )


def _to_copy(repository: Repo, root: Path, wanted: Mapping[str, list[str]]) -> int:
    """Bytes that DVC will copy to its cache: of what differs from its pointer, unless the disk can link instead."""
    cache = repository.cache.local
    links = [kind for kind in cache.cache_types if kind != "copy"]
    if test_links(links, cache.fs, cache.path, repository.fs, str(root.absolute())):
        return 0
    recorded = {part for pointer in root.glob("*.dvc") for part in read_pointer(pointer)}
    now = [measure(root / path) for paths in wanted.values() for path in paths]
    return sum(part.size for part in now if part not in recorded)


def _upwards(source: PurePosixPath) -> list[PurePosixPath]:
    """The path and the folders it lies in, below the raw folder, innermost first."""
    return [source, *source.parents][:-1]


def _whole_folders(root: Path, holders: dict[PurePosixPath, set[str]]) -> Callable[[PurePosixPath], PurePosixPath]:
    """How to find what stands for a recording: the widest folder that is its pointer's own, or the recording itself."""

    @cache
    def widest(folder: PurePosixPath) -> PurePosixPath:
        above = folder.parent
        if above not in holders or len(holders[above]) > 1:
            return folder
        entries = (above / path.name for path in (root / above).iterdir() if not path.name.startswith("."))
        return widest(above) if all(entry in holders for entry in entries) else folder

    def whole(source: PurePosixPath) -> PurePosixPath:
        shared = len(holders.get(source.parent, ("another", "one"))) > 1
        return source if shared else widest(source.parent)

    return whole


def _outermost(paths: set[PurePosixPath]) -> list[str]:
    """The paths that lie in no other of them, sorted."""
    return sorted(str(path) for path in paths if not any(above in paths for above in path.parents))


def _rest(
    folder: Path, root: Path, holders: set[PurePosixPath], taken: set[Path], unread: Collection[str]
) -> Iterator[str]:
    """Everything below a folder that is not taken, as few paths as can be."""
    for path in folder.iterdir():
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if path in taken or path.suffix == ".dvc" or path.name.startswith(".") or path.name.lower() in unread:
            continue
        if relative in holders:
            yield from _rest(path, root, holders, taken, unread)
        else:
            yield str(relative)


def _check_inside(checkout: Path, root: Path) -> None:
    """DVC keeps its pointer beside the data, and git does not look behind a link."""
    resolved = root.resolve()
    if not resolved.is_relative_to(checkout.resolve()) or resolved != root.absolute():
        raise ClefError(
            f"{root}: leads to {resolved}; DVC versions files inside the checkout {checkout} only: "
            "put the data there, or mount it there"
        )


def _told(error: Exception) -> ClefError:
    return ClefError(f"dvc: {' '.join(str(error).split())}")
