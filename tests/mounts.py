"""Disks of their own for tests: small ones, and ones that are not writable."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory at a new folder. If that is impossible, skip the test, but fail in CI."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    _require(command)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _require(command: list[str | Path]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        if "CI" in os.environ and os.getuid() == 0:
            pytest.fail(f"CI must be able to mount a file system: {ran.stderr.strip()}")
        pytest.skip("only root may mount a file system")


@contextmanager
def unwritable(folder: Path) -> Iterator[Path]:
    """Make a folder that is not writable, also for root."""
    if os.getuid() == 0:
        with mounted(folder, "ro"):
            yield folder
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
