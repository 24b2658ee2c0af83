"""Leases of processes on other hosts."""

import os
import time
from pathlib import Path

from clef.runtime.lease import LIFETIME_SECONDS, lease_path


def hold_elsewhere(target: Path, host: str = "elsewhere", age: float = 0.0) -> Path:
    """Make, or take over, the lease of an output as a process on another host did `age` seconds ago; return it."""
    lease = lease_path(target).absolute()
    lease.parent.mkdir(parents=True, exist_ok=True)
    claim = lease.with_name(f"{lease.name}|{host}|1|1")
    claim.write_text(str(claim))
    lease.unlink(missing_ok=True)
    lease.hardlink_to(claim)
    refresh_elsewhere(lease, age)
    return lease


def refresh_elsewhere(lease: Path, age: float = 0.0) -> None:
    """Set the time since a lease was refreshed."""
    expiry = time.time() - age + LIFETIME_SECONDS
    os.utime(lease, (expiry, expiry))


def files_without_leases(folder: Path) -> set[str]:
    """Names of the files in a folder, but not leases."""
    return {path.name for path in folder.iterdir() if ".lease" not in path.name}
