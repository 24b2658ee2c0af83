"""Leases on outputs, so that two processes never work on the same output.

A lease is a lock file beside the output that expires unless its holder refreshes it. `flufl.lock` creates it as a hard
link, which also works on network disks, and stores the time of expiry as its time of modification. A dead holder on
this host is noticed at once. A dead holder on another host blocks the output until the lease expires; clocks of hosts
may differ by two minutes. A process that was suspended may lose its lease; it then fails before it writes anything
else, see `clef.runtime.files.guard_writes`.
"""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from flufl.lock import SEP, Lock, NotLockedError, TimeOutError

from clef.errors import ClefError, LeaseHeldError
from clef.runtime.files import guard_writes, is_running
from clef.runtime.progress import notice

logging.getLogger("flufl.lock").setLevel(logging.CRITICAL)

LIFETIME_SECONDS = 180
REFRESH_SECONDS = 20.0
POLL_SECONDS = 1.0
CLOCK_TOLERANCE_SECONDS = 10


class Holder(NamedTuple):
    """The process that holds a lease; it `refreshed` it at a time in seconds since the epoch."""

    host: str
    pid: int
    refreshed: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class _HostLock(Lock):
    @property
    def hostname(self) -> str:
        """The short name of the host: the full name is `localhost` on all nodes of some clusters."""
        return socket.gethostname()


@contextmanager
def leased(target: Path) -> Iterator[None]:
    """Hold the lease of an output, or of any path that differs from it only in the suffix, while the block runs.

    If a process on another host holds it, wait until that one refreshes it or it expires. If another process takes it
    over while the block runs, all further writes raise ClefError.

    Raises:
        LeaseHeldError: Another live process holds it.
    """
    lock = _acquire(target)
    stop = threading.Event()

    def refresh() -> None:
        while not stop.wait(REFRESH_SECONDS):
            with suppress(OSError):  # an error of the file system may be temporary
                lock.refresh(unconditionally=True)

    def require() -> None:
        if not lock.is_locked:
            raise ClefError(
                f"{target}: another process took it over while this process was suspended; leaving it to that one"
            )

    refresher = threading.Thread(target=refresh, name="lease", daemon=True)
    refresher.start()
    try:
        with guard_writes(require):
            yield
    finally:
        stop.set()
        refresher.join()
        with suppress(OSError):  # a lease that cannot be removed expires
            lock.unlock(unconditionally=True)


def lease_path(target: Path) -> Path:
    """The file of an output's lease."""
    return target.with_suffix(".lease")


def holder_of(target: Path) -> Holder | None:
    """The live process that holds the lease of an output; None if there is no lease, or it is stale."""
    if not (path := lease_path(target)).exists():
        return None
    lock = _HostLock(str(path))
    try:
        host, pid, _ = lock.details
        expiry = lock.expiration.timestamp()
    except (NotLockedError, FileNotFoundError, ValueError):
        return None
    stale = time.time() > expiry + CLOCK_TOLERANCE_SECONDS or (host == lock.hostname and not is_running(pid))
    return None if stale else Holder(host, pid, expiry - LIFETIME_SECONDS)


def _acquire(target: Path) -> Lock:
    path = lease_path(target).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _HostLock(str(path), lifetime=LIFETIME_SECONDS)
    first = holder_of(target)
    if first is not None and first.host != lock.hostname:
        notice("waiting at most %d s for %s to refresh its lease", LIFETIME_SECONDS, first)
        while holder_of(target) == first:
            time.sleep(POLL_SECONDS)
    with _locked_folder(path.parent):
        if (holder := holder_of(target)) is None:
            _remove_stale(path)
        try:
            lock.lock(timeout=0)
        except TimeOutError:
            raise LeaseHeldError(
                f"{target}: {holder or 'another process'} is already working on it; wait for it or stop it"
            ) from None
        except OSError as error:
            Path(lock.claimfile).unlink(missing_ok=True)
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    return lock


def _remove_stale(path: Path) -> None:
    """Remove a lease and the second name of its file, which is its content."""
    with suppress(FileNotFoundError):
        claim = Path(path.read_text(encoding="utf-8", errors="replace")).name
        path.unlink()
        if claim.startswith(f"{path.name}{SEP}"):
            path.with_name(claim).unlink()


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Keep two processes of this host from removing the same stale lease."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some disks do not support such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
