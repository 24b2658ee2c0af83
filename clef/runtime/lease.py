"""A lease on an output: two processes must not work on one, yet a dead one must not lock it for ever.

The lease file names host, process, job and the time of the last heartbeat. On one host a live process decides. Of a
process elsewhere only the heartbeat can be seen, and no clock is trusted to say how old that is: whoever finds such a
lease waits for the next beat, and takes it over where none comes for `STALE_SECONDS`.

Locks do not reach from node to node on every network disk. What does is that one process alone can create a file: a
lease is taken by creating its file. One that is to be taken over is claimed first, by creating a file whose name tells
which lease is meant: who has created it looks once more, and only then puts its own lease in the place of that one. A
claim is a lease too, so that one who dies over it locks nobody out. Where one stands still in the middle of that, two
may take themselves for the holder; the file is one's only, and the other finds out before anything of it appears. A
heartbeat is written into the file that was read, over no other.
"""

import fcntl
import hashlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clef.errors import ClefError
from clef.runtime.files import LONGEST_NAME, guarded, temporary
from clef.runtime.process import is_running, mark, own_start, visible
from clef.runtime.progress import notice

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
LOOK_SECONDS = 1.0
"""How often a lease is read while waiting for a beat."""
SETTLE_SECONDS = 0.5
"""How long a file may be without its content when one node has just created, or moved, it and another one looks."""
RECORD_BYTES = 512
"""Every record is made as long: the next one, written over it, leaves nothing of it."""
Beat = tuple[str, float]
"""Token and time of a lease's heartbeat: the same as long as nothing more is heard of its holder."""

HOLDER = {"token", "host", "process", "started", "job", "heartbeat"}
"""What a lease file says of who holds it."""


class Lease:
    """A lease on an output. Ask `require` before writing what it guards otherwise than by `clef.runtime.files`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_suffix(".lease")
        self._lost = False
        self._seen = time.monotonic()
        self._claims = f".{self.path.stem[:LONGEST_NAME]}."
        self._mine: dict[str, Any] = {
            "token": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "started": own_start(),
            "mark": mark(),
            "job": os.environ.get("SLURM_JOB_ID"),
        }

    def acquire(self) -> None:
        """Create the lease file, unless a live process holds it.

        Where one that cannot be seen from here may hold it, wait for its next heartbeat, or until there can be none any
        more.

        Raises:
            ClefError: Another live process holds it.
            OSError: The file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        holder = self._take()
        if holder is not None and not _seen_from_here(holder):
            holder = self._outwait(holder)
        if holder is not None:
            end = f" (`scancel {holder['job']}`)" if holder["job"] else ""
            raise ClefError(
                f"{self.target}: {_name(holder)} is already at work on it (last heartbeat "
                f"{max(0, time.time() - holder['heartbeat']):.0f} s ago); wait for it or end it{end}"
            )
        self.require()

    def held(self) -> bool:
        """Whether the lease file is still this one's."""
        holder = _read(self.path)
        if holder is None:
            # One who gave back a lease that was no longer its own has moved this one aside, and puts it back.
            time.sleep(SETTLE_SECONDS)
            holder = _read(self.path)
        return self._is_mine(holder)

    def require(self) -> None:
        """Refuse to go on where another process has taken over.

        Raises:
            ClefError: The lease was lost, as after a long stop of this process.
        """
        if not self.held():
            raise ClefError(
                f"{self.target}: another process has taken over while this one stood still; leaving it to it"
            )

    def check(self) -> None:
        """The same for every step of something: it reads the file only where heartbeats say no good of it, or nothing.

        Raises:
            ClefError: The lease was lost.
        """
        if self._lost or time.monotonic() - self._seen > 2 * HEARTBEAT_SECONDS:
            self.require()

    def beat(self) -> None:
        """Renew the heartbeat, if the lease is still held."""
        with _locked(self.path.parent):
            if not self.held():
                self._lost = True
                return
            # The very file that is looked at, and not one by its name: another's may have come into its place.
            file = os.open(self.path, os.O_RDWR)
            try:
                if self._is_mine(_parsed(os.pread(file, 2 * RECORD_BYTES, 0))):
                    self._write(file)
                    self._seen = time.monotonic()
            finally:
                os.close(file)

    def release(self) -> None:
        """Give the lease back, if it is still held."""
        try:
            with _locked(self.path.parent):
                holder = _read(self.path)
                if holder is not None and self._is_mine(holder):
                    _remove(self.path, holder)
        except OSError as error:
            log.warning("%s: not removed (%s); whoever comes next finds out that nobody holds it", self.path, error)

    def _take(self, silent: Collection[Beat] = ()) -> dict[str, Any] | None:
        """Create the lease file, or return who seems to hold it, if that is not one of whom no more was heard."""
        with _locked(self.path.parent):
            while not self._create(self.path):
                found = _content(self.path)
                if found is None:
                    continue  # given back in between
                holder = _parsed(found)
                if self._is_mine(holder):
                    break
                if holder is not None and not _given_up(holder, silent):
                    return holder
                if (claimant := self._take_over(self.path, found, silent)) is not None:
                    return claimant
            return None

    def _take_over(self, path: Path, found: bytes, silent: Collection[Beat]) -> dict[str, Any] | None:
        """Put this one's lease in the place of one that nobody holds, if it is still there.

        Returns:
            Who else is at it. None where nobody is: whose lease is there now is to be looked up.
        """
        meant = hashlib.sha256(path.name.encode() + b"/" + found).hexdigest()[:16]
        claim = path.with_name(f"{self._claims}{meant}.lease")
        if not self._create(claim):
            other = _content(claim)
            if other is None:
                return None
            claimant = _parsed(other)
            if not self._is_mine(claimant):
                if claimant is not None and not _given_up(claimant, silent):
                    return claimant
                return self._take_over(claim, other, silent)
        try:
            if _parsed(found) is None:
                time.sleep(SETTLE_SECONDS)  # its content may be on its way
            mine = temporary(path)
            self._create(mine)
            if _content(path) == found:
                os.replace(mine, path)
            else:
                mine.unlink()
        finally:
            if self._is_mine(_read(claim)):
                claim.unlink(missing_ok=True)
        if path == self.path:
            self._sweep(silent)
        return None

    def _sweep(self, silent: Collection[Beat]) -> None:
        """Remove the claims of those who died over them: nobody looks for a claim on a lease that is gone."""
        for entry in os.listdir(self.path.parent):
            if entry.startswith(self._claims) and entry.endswith(".lease"):
                claimant = _read(self.path.with_name(entry))
                if claimant is not None and _given_up(claimant, silent):
                    self.path.with_name(entry).unlink(missing_ok=True)

    def _outwait(self, holder: dict[str, Any]) -> dict[str, Any] | None:
        """Wait for a holder's next heartbeat. Returns who is at work then; None where the lease was taken over.

        Whoever turns up meanwhile, on a host that cannot be seen from here, is waited for likewise.
        """
        notice("waiting for a sign of life of %s, at most %.0f s", _name(holder), STALE_SECONDS)
        pause = threading.Event()
        since: dict[Beat, float] = {}
        found: dict[str, Any] | None = holder
        while found is not None and not _seen_from_here(found):
            beat = _beat(found)
            if beat not in since and any(token == beat[0] for token, _ in since):
                break  # it has beaten
            since.setdefault(beat, time.monotonic())
            pause.wait(LOOK_SECONDS)
            found = self._take([one for one, at in since.items() if time.monotonic() - at >= STALE_SECONDS])
        return found

    def _create(self, path: Path) -> bool:
        """Create a file with this one's lease; False where there is one."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        try:
            self._write(file)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OSError(error.errno, os.strerror(error.errno or 0), str(self.path)) from error
        finally:
            os.close(file)
        return self._is_mine(_read(path))  # it may have been taken for no lease as long as it was empty

    def _write(self, file: int) -> None:
        record = json.dumps({**self._mine, "heartbeat": time.time()}).ljust(RECORD_BYTES)
        os.pwrite(file, record.encode(), 0)
        os.fsync(file)

    def _is_mine(self, holder: dict[str, Any] | None) -> bool:
        return holder is not None and holder["token"] == self._mine["token"]


@contextmanager
def leased(target: Path) -> Iterator[Lease]:
    """Hold the lease of an output and its work folder, with a heartbeat from a thread, until the block ends.

    Once the lease is lost no file of this process appears any more: `files.appearing` asks for it each time.

    Raises:
        ClefError: Another live process holds it.
    """
    lease = Lease(target)
    lease.acquire()
    stop = threading.Event()
    heart = threading.Thread(target=_keep, args=(lease, stop), name="lease heartbeat", daemon=True)
    heart.start()
    try:
        with guarded(lease.require):
            yield lease
    finally:
        stop.set()
        heart.join()
        lease.release()


def _keep(lease: Lease, stop: threading.Event) -> None:
    """Renew the heartbeat until told to stop. A full disk, or a file server that starts anew, does not end that."""
    failing = False
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            lease.beat()
            failing = False
        except OSError as error:
            if not failing:
                log.warning("%s: heartbeat not written (%s); trying on", lease.path, error.strerror)
            failing = True


def live(target: Path) -> bool:
    """Whether a live process holds the lease of an output, its work folder, or the lease file itself."""
    return holder_of(target) is not None


def holder_of(target: Path) -> dict[str, Any] | None:
    """What the lease of an output says of the live process that holds it (see `HOLDER`); None where nobody does."""
    holder = _read(target.with_suffix(".lease"))
    if holder is None or _dead(holder):
        return None
    # Who only looks does not wait for a beat; a clock that is wrong misleads no more than what is shown.
    silent = not _seen_from_here(holder) and time.time() - holder["heartbeat"] >= STALE_SECONDS
    return None if silent else holder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others on this host from looking and taking at the same moment.

    A lock on the folder itself leaves no file behind. Some disks have none; what is done under it is safe without.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove(path: Path, found: dict[str, Any]) -> None:
    """Remove a lease file if it is, still, the one that was found there.

    It is looked at where nobody else can reach it: another node may have taken it over since, and then gets it back.
    """
    aside = temporary(path)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    moved = _read(aside)
    if moved is not None and _beat(moved) != _beat(found):
        with suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    """What is in a file; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    """The lease in a file; None where there is none, or something else."""
    content = _content(path)
    return None if content is None else _parsed(content)


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= HOLDER else None


def _name(holder: dict[str, Any]) -> str:
    job = f", SLURM job {holder['job']}" if holder["job"] else ""
    return f"process {holder['process']} on {holder['host']}{job}"


def _beat(holder: dict[str, Any]) -> Beat:
    return holder["token"], holder["heartbeat"]


def _given_up(holder: dict[str, Any], silent: Collection[Beat]) -> bool:
    """Whether a holder has ended, or is one of whom no more was heard."""
    return _dead(holder) or _beat(holder) in silent


def _dead(holder: dict[str, Any]) -> bool:
    """Whether a holder is known to have ended."""
    running = not _seen_from_here(holder) or is_running(holder["process"], holder["started"], holder.get("mark", ""))
    return not running


def _seen_from_here(holder: dict[str, Any]) -> bool:
    """Whether it can be told without waiting for a heartbeat if a holder lives."""
    return holder["host"] == socket.gethostname() and visible(holder.get("mark", ""))
