"""Write files and folders atomically: under a temporary name beside the target, then renamed."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS)
TEMPORARY_NAME = re.compile(r"\..+\.(?P<host>[^/]+)-(?P<pid>\d+)-[0-9a-f]{8}\.partial")
KEPT_CHARACTERS = 32  # of the target's name: file names have at most 255 bytes, characters up to four
_guards: list[Callable[[], None]] = []
_swept: set[Path] = set()


@contextmanager
def atomic_write(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path; it replaces `target` when the block ends, and is removed if the block raises.

    The first write to a folder also removes temporary files that dead processes of this host left there.

    Raises:
        OSError: The file cannot be written; `filename` is the target's.
    """
    target = Path(target)
    partial = temporary_path(target)
    check_guards()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(target.parent)
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        check_guards()
        os.replace(partial, target)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if (number := _write_error(error, partial)) is not None:
            raise OSError(number, os.strerror(number), str(target)) from error
        raise


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder; it replaces `target` when the block ends, and is removed if the block raises.

    Temporary folders that dead processes of this host left are removed first; what they replaced is put back if its
    replacement is missing.

    Raises:
        OSError: The folder cannot be written; `filename` is the target's.
    """
    target = target.resolve()
    partial, earlier = temporary_path(target), temporary_path(target)
    check_guards()
    for path in filter(is_abandoned, target.parent.glob(f".{target.name[:KEPT_CHARACTERS]}.*.partial")):
        _discard(path)
    try:
        partial.mkdir(parents=True)
        yield partial
        for path in partial.iterdir():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        check_guards()
        if target.exists():  # only an empty folder can be replaced in one step
            earlier.mkdir()
            os.replace(target, earlier / target.name)
        os.replace(partial, target)
        _discard(earlier)
    except BaseException as error:
        _discard(partial)
        _discard(earlier)
        if (number := _write_error(error, partial)) is not None:
            raise OSError(number, os.strerror(number), str(target)) from error
        raise


def write_text(target: Path | str, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_write(target) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def guard_writes(guard: Callable[[], None]) -> Iterator[None]:
    """Call `guard` before every atomic write in the block; it raises to forbid the write."""
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)


def check_guards() -> None:
    """Raise if a guard forbids writing. Call this before long work, or changes other than atomic writes."""
    for guard in tuple(_guards):
        guard()


def temporary_path(target: Path) -> Path:
    """A unique name beside a file, which also names this host and process."""
    writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.name[:KEPT_CHARACTERS]}.{writer}.partial")


def is_abandoned(path: Path) -> bool | None:
    """Whether the process that made a temporary path is dead; None if it ran on another host."""
    found = TEMPORARY_NAME.fullmatch(path.name)
    return not is_running(int(found["pid"])) if found and found["host"] == socket.gethostname() else None


def is_running(pid: int) -> bool:
    """Whether a process of this host runs; zombies do not."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def file_hash(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _discard(folder: Path) -> None:
    """Remove a temporary folder. A folder in it is one that was to be replaced; it goes back if nothing replaced it."""
    for earlier in folder.glob("*/"):
        if not (target := folder.with_name(earlier.name)).exists():
            os.replace(earlier, target)
    shutil.rmtree(folder, ignore_errors=True)


def _sweep_once(folder: Path) -> None:
    """Remove abandoned temporary files, once per folder and process: folders may hold thousands of files."""
    abandoned = filter(is_abandoned, () if folder.absolute() in _swept else folder.glob(".*.partial"))
    _swept.add(folder.absolute())
    for path in abandoned:
        with suppress(OSError):  # a folder, or another process removed it
            path.unlink()


def _write_error(error: BaseException | None, partial: Path) -> int | None:
    """Error number of a failed write: libraries wrap the error, drop the file name or only quote its text."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in WRITE_ERRORS:
            names = [str(name) for name in (error.filename, error.filename2) if name is not None]
            return error.errno if not names or any(name.startswith(str(partial)) for name in names) else None
        if os.strerror(errno.ENOSPC) in str(error):
            return errno.ENOSPC
        error = None if error.__suppress_context__ else error.__context__
    return None
