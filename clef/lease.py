"""A lease on an output: two processes must not work on one, yet a dead one must not lock it for ever.

The lease file names host, process, job and the time of the last heartbeat. On one host a live process decides; from
another host only the heartbeat can be seen, and a lease whose heart has stopped for `STALE_SECONDS` is taken over. Who
finds a younger one waits that long for the next beat: after a job was killed, or its node lost, its next submission may
well start somewhere else before the old lease looks dead.
"""

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clef.errors import ClefError
from clef.files import write_text
from clef.process import is_running, mark, own_start, visible
from clef.progress import notice

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
LOOK_SECONDS = 1.0
"""How often a lease is read while waiting for a beat."""
HOLDER = {"token", "host", "process", "started", "job", "heartbeat"}
"""What a lease file says of who holds it."""


class InUse(ClefError):
    """Another live process is at work on an output. It will end."""


class Lease:
    """A lease that is held. Ask `require` before writing what it guards."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_suffix(".lease")
        self._mine: dict[str, Any] = {
            "token": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "started": own_start(),
            "mark": mark(),
            "job": os.environ.get("SLURM_JOB_ID"),
        }

    def acquire(self) -> None:
        """Write the lease file, unless a live process holds it.

        Where one on another host may hold it, wait for its next heartbeat, or until there can be none any more.

        Raises:
            InUse: Another live process holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if (holder := self._take()) is None:
            return
        if not _seen_from_here(holder):
            notice("waiting for a sign of life of %s, at most %.0f s", _name(holder), STALE_SECONDS)
            found, pause, began = holder, threading.Event(), time.monotonic()
            while _same_beat(found, holder):
                pause.wait(LOOK_SECONDS)
                # Not by the age of the beat alone: their clock may be ahead of ours.
                silent = holder if time.monotonic() - began >= STALE_SECONDS else None
                if (now := self._take(silent)) is None:
                    return
                found = now
            holder = found
        end = f" (`scancel {holder['job']}`)" if holder["job"] else ""
        raise InUse(
            f"{self.target}: {_name(holder)} is already at work on it (last heartbeat "
            f"{max(0, time.time() - holder['heartbeat']):.0f} s ago); wait for it or end it{end}"
        )

    def held(self) -> bool:
        """Whether the lease file is still this one's."""
        holder = _read(self.path)
        return holder is not None and holder["token"] == self._mine["token"]

    def require(self) -> None:
        """Refuse to go on where another process has taken over.

        Raises:
            ClefError: The lease was lost, as after a long stop of this process.
        """
        if not self.held():
            raise ClefError(
                f"{self.target}: another process has taken over while this one stood still; leaving it to it"
            )

    def beat(self) -> None:
        """Renew the heartbeat, if the lease is still held."""
        if self.held():
            write_text(self.path, self._record())

    def release(self) -> None:
        """Give the lease back, if it is still held."""
        if self.held():
            self.path.unlink(missing_ok=True)

    def _take(self, silent: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Write the lease file, or return who seems to hold it, if that is not the one of whom no more was heard."""
        with _locked(self.path.parent):
            holder = _read(self.path)
            if holder is not None and _alive(holder) and not (silent is not None and _same_beat(holder, silent)):
                return holder
            write_text(self.path, self._record())
            return None

    def _record(self) -> str:
        return json.dumps({**self._mine, "heartbeat": time.time()})


@contextmanager
def leased(target: Path) -> Iterator[Lease]:
    """Hold the lease of an output and its work folder, with a heartbeat from a thread, until the block ends.

    Raises:
        InUse: Another live process holds it.
    """
    lease = Lease(target)
    lease.acquire()
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            lease.beat()

    heart = threading.Thread(target=keep, name="lease heartbeat", daemon=True)
    heart.start()
    try:
        yield lease
    finally:
        stop.set()
        heart.join()
        lease.release()


def live(target: Path) -> bool:
    """Whether a live process holds the lease of an output, its work folder, or the lease file itself."""
    return holder_of(target) is not None


def holder_of(target: Path) -> dict[str, Any] | None:
    """What the lease of an output says of the live process that holds it (see `HOLDER`); None where nobody does."""
    holder = _read(target.with_suffix(".lease"))
    return holder if holder is not None and _alive(holder) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others from looking and taking at the same moment. A lock on the folder itself leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    """The lease in a file; None where there is none, or something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= HOLDER else None


def _name(holder: dict[str, Any]) -> str:
    job = f", SLURM job {holder['job']}" if holder["job"] else ""
    return f"process {holder['process']} on {holder['host']}{job}"


def _same_beat(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one["token"], one["heartbeat"]) == (other["token"], other["heartbeat"])


def _alive(holder: dict[str, Any]) -> bool:
    if not _seen_from_here(holder):
        return time.time() - holder["heartbeat"] < STALE_SECONDS
    return is_running(holder["process"], holder["started"], holder.get("mark", ""))


def _seen_from_here(holder: dict[str, Any]) -> bool:
    """Whether it can be told without waiting for a heartbeat if a holder lives."""
    return holder["host"] == socket.gethostname() and visible(holder.get("mark", ""))
