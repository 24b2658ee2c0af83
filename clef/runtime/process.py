"""Whether a process that a file names still runs: the one answer for leases, records and half-written files."""

import os
from functools import cache
from pathlib import Path

import psutil

PROC = Path("/proc")
CLOCK_TOLERANCE = 2.0
"""Seconds by which a time of start may differ where nothing better was written down."""
ENDED = "ZX"
"""States in which a process does nothing any more: a zombie only waits for its parent to look."""


def mark(number: int | None = None) -> str:
    """What tells a process from all that had its number before or will have it.

    Not its time of start, which moves when the clock is set, but the ticks since the boot that it started at, with that
    boot and the space of process numbers, since containers count anew.

    Args:
        number: Its process id; the calling process without.

    Returns:
        `BOOT:SPACE:TICKS`; empty where there is no such process, or no /proc.
    """
    found = _stat(os.getpid() if number is None else number)
    return "" if found is None else f"{_boot()}:{_space()}:{found[1]}"


def own_start() -> float:
    """When the calling process started, in seconds since the epoch."""
    return psutil.Process().create_time()


def visible(mark: str) -> bool:
    """Whether a process of this host with this mark could be seen from here; one in another container could not."""
    parts = _parts(mark)
    return parts is None or parts[0] != _boot() or parts[1] == _space()


def is_running(number: int, started: float, mark: str = "") -> bool:
    """Whether a process of this host still runs. One that cannot be seen from here counts as running.

    Args:
        number: Its process id.
        started: When it started, in seconds since the epoch; looked at only where there is no mark.
        mark: Its `mark`, if that was written down.
    """
    parts = _parts(mark)
    if parts is None:
        return _started_about(number, started)
    if not visible(mark):
        return True
    if parts[0] != _boot():
        return False
    found = _stat(number)
    if found is None:
        return _hidden(number)
    state, ticks = found
    return state not in ENDED and ticks == parts[2]


def _parts(mark: str) -> tuple[str, str, str] | None:
    """Boot, space and ticks of a mark, if this system has such."""
    parts = mark.split(":")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and _boot() else None


def _started_about(number: int, started: float) -> bool:
    try:
        process = psutil.Process(number)
        ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return not ended and abs(process.create_time() - started) <= CLOCK_TOLERANCE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _stat(number: int) -> tuple[str, str] | None:
    """State and start, in ticks since boot, of a process; None where it is not to be seen."""
    try:
        line = (PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = line.rpartition(")")[2].split()  # its name, in brackets, may hold anything
    return fields[0], fields[19]


def _hidden(number: int) -> bool:
    """Whether there is such a process all the same: /proc may be mounted so that it hides those of other users."""
    try:
        os.kill(number, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _boot() -> str:
    """Names the time since this system was started; empty where it cannot be told."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@cache
def _space() -> str:
    """Names the space of process numbers of this process, such as `4026531836`."""
    try:
        return os.readlink(PROC / "self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
