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
from dataclasses import dataclass
from pathlib import Path

from flufl.lock import SEP, Lock, NotLockedError, TimeOutError

from clef.errors import ClefError
from clef.runtime.files import guard_writes, is_running
from clef.runtime.progress import notice

logging.getLogger("flufl.lock").setLevel(logging.CRITICAL)

LIFETIME_SECONDS = 180
REFRESH_SECONDS = 20.0
POLL_SECONDS = 1.0
CLOCK_TOLERANCE_SECONDS = 10


class LeaseHeldError(ClefError):
    """Another process holds the lease."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease."""

    host: str
    pid: int
    refreshed: float
    """When it last refreshed the lease, in seconds since the epoch."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class _HostLock(Lock):
    @property
    def hostname(self) -> str:
        """The short name of the host: the full name is `localhost` on all nodes of some clusters."""
        return socket.gethostname()


class Lease:
    """A lease on an output, or on any path that differs from it only in the suffix, such as its work folder."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = lease_path(target).absolute()
        self._lock = _HostLock(str(self.path), lifetime=LIFETIME_SECONDS)

    def acquire(self) -> None:
        """Take the lease. If a process on another host holds it, wait until that one refreshes it or it expires.

        Raises:
            LeaseHeldError: Another live process holds it.
            OSError: The file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        first = holder = holder_of(self.target)
        if first is not None and first.host != self._lock.hostname:
            notice("waiting at most %d s for %s to refresh its lease", LIFETIME_SECONDS, first)
            while holder == first:
                threading.Event().wait(POLL_SECONDS)
                holder = holder_of(self.target)
        with _locked_folder(self.path.parent):
            holder = holder_of(self.target)
            if holder is None:
                _remove_stale(self.path)
            try:
                self._lock.lock(timeout=0)
            except TimeOutError:
                raise LeaseHeldError(
                    f"{self.target}: {holder or 'another process'} is already working on it; wait for it or stop it"
                ) from None
            except OSError as error:
                Path(self._lock.claimfile).unlink(missing_ok=True)
                raise OSError(error.errno, os.strerror(error.errno or 0), str(self.path)) from error

    def require(self) -> None:
        """Refresh the lease; raise ClefError if another process took it."""
        if not self._lock.is_locked:
            raise ClefError(
                f"{self.target}: another process took it over while this process was suspended; leaving it to that one"
            )

    def keep_fresh(self, stop: threading.Event) -> None:
        """Postpone the expiry until `stop` is set. Errors of the file system may be temporary."""
        while not stop.wait(REFRESH_SECONDS):
            with suppress(OSError):
                self._lock.refresh(unconditionally=True)

    def release(self) -> None:
        """Give up the lease, if it is still held; if its file cannot be removed, it expires."""
        with suppress(OSError):
            self._lock.unlock(unconditionally=True)


@contextmanager
def leased(target: Path) -> Iterator[Lease]:
    """Hold the lease of an output in the block, see `Lease.acquire`. Writes fail once it is lost."""
    lease = Lease(target)
    lease.acquire()
    stop = threading.Event()
    refresher = threading.Thread(target=lease.keep_fresh, args=(stop,), name="lease", daemon=True)
    refresher.start()
    try:
        with guard_writes(lease.require):
            yield lease
    finally:
        stop.set()
        refresher.join()
        lease.release()


def lease_path(target: Path) -> Path:
    """The file of an output's lease."""
    return target.with_suffix(".lease")


def holder_of(target: Path) -> Holder | None:
    """The live process that holds the lease of an output; None if there is no lease, or it is stale."""
    path = lease_path(target)
    if not path.exists():
        return None
    lock = _HostLock(str(path))
    try:
        host, pid, _ = lock.details
        expiry = lock.expiration.timestamp()
    except (NotLockedError, FileNotFoundError, ValueError):
        return None
    if time.time() > expiry + CLOCK_TOLERANCE_SECONDS or (host == lock.hostname and not is_running(pid)):
        return None
    return Holder(host, pid, expiry - LIFETIME_SECONDS)


def _remove_stale(path: Path) -> None:
    """Remove a lease and the second name of its file, which is its content."""
    with suppress(FileNotFoundError):
        claim = path.read_text(encoding="utf-8", errors="replace").rpartition("/")[2]
        path.unlink()
        if claim.startswith(f"{path.name}{SEP}"):
            path.with_name(claim).unlink()


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Keep two processes of this host from removing the same stale lease. Some disks do not support such locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
