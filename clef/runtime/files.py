"""Files that appear whole: written beside their target under a temporary name, then renamed."""

import errno
import hashlib
import itertools
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from clef.runtime.process import is_running, mark, own_start

NO_SPACE = "No space left on device"
WRITE_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS)

PARTIAL = re.compile(r"\..+\.(?P<place>[0-9a-f]{8})-(?P<boot>[0-9a-f]{8})-(?P<number>\d+)-(?P<start>\d+)-\d+\.partial")
"""A temporary name: of the target, then of who writes."""
LONGEST_NAME = 48
"""Characters of the target's name that a temporary one repeats: names have 255 bytes, characters up to four."""

_guards: list[Callable[[], None]] = []
_numbers = itertools.count()
_swept: set[Path] = set()


@contextmanager
def appearing(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it becomes the target, on an error it is removed.

    No other process, and no other call, has the same temporary path: one that was taken for dead may still write. What
    a killed process left in the folder is removed by the next that writes there.

    Raises:
        ClefError: A guard does not let it appear, see `guarded`.
        OSError: The file cannot be written; its `filename` is set.
    """
    target = Path(target)
    partial = temporary(target)
    ask_guards()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(target.parent)
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        ask_guards()
        os.replace(partial, target)
    except BaseException as error:
        _remove(partial)
        failure = _write_failure(error, partial)
        if failure is not None:
            raise OSError(failure, os.strerror(failure), str(target)) from error
        raise


@contextmanager
def guarded(guard: Callable[[], None]) -> Iterator[None]:
    """While the block runs, no file of this process appears that the guard does not let: it raises where none may."""
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)


def ask_guards() -> None:
    """Stop here where no file may appear any more: to be called before what is done in vain then, or does harm."""
    for guard in tuple(_guards):
        guard()


def temporary(target: Path) -> Path:
    """A name beside a file that nobody else has, and from which `abandoned` tells who made it."""
    place, boot = _here()
    writer = f"{place}-{boot}-{os.getpid()}-{_start(os.getpid())}-{next(_numbers)}"
    return target.with_name(f".{target.name[:LONGEST_NAME]}.{writer}.partial")


def abandoned(path: Path) -> bool | None:
    """Whether who wrote under a temporary name has ended; None where that cannot be told, as of another host."""
    found = PARTIAL.fullmatch(path.name)
    place, boot = _here()
    if found is None or found["place"] != place:
        return None
    if found["boot"] != boot:
        return True
    surroundings, _, ticks = mark().rpartition(":")
    start = found["start"]
    return not is_running(int(found["number"]), float(start), f"{surroundings}:{start}" if ticks else "")


def sweep(folder: Path) -> None:
    """Remove what processes that have ended left half-written in a folder."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.endswith(".partial") and abandoned(Path(entry.path)):
                _remove(Path(entry.path))


def _sweep_once(folder: Path) -> None:
    """Once in the life of this process: folders may hold many thousand files."""
    if (resolved := folder.absolute()) not in _swept:
        _swept.add(resolved)
        sweep(folder)


@cache
def _here() -> tuple[str, str]:
    """Short names of where process numbers are given out, which is this host or a container on it, and of its boot."""
    boot, _, space = mark().rpartition(":")[0].partition(":")
    return _short(f"{socket.gethostname()} {space}"), _short(boot)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@cache
def _start(number: int) -> int:
    """When this process, which has that number, started: in ticks where the system has them."""
    return int(mark(number).rpartition(":")[2] or own_start())


def _write_failure(error: BaseException | None, partial: Path) -> int | None:
    """Number of the failed write behind an error: libraries name no file, wrap it in their own, or quote its text."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in WRITE_FAILURES:
            return error.errno if error.filename in (None, str(partial)) else None
        if NO_SPACE in str(error):
            return errno.ENOSPC
        error = None if error.__suppress_context__ else error.__context__
    return None


def _remove(partial: Path) -> None:
    """Remove what there is of a file; where not even that can be done, the error that led here says more."""
    with suppress(OSError):
        partial.unlink()


def write_text(target: Path | str, text: str) -> None:
    """Write a small text file whole."""
    with appearing(target) as partial:
        partial.write_text(text, encoding="utf-8")


def file_hash(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
