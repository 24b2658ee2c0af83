"""Disks of their own for a test: small ones, and such that cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory at a folder, which is made. Where it cannot be mounted the test skips; in CI it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        if "CI" in os.environ and os.getuid() == 0:
            pytest.fail(f"CI is to mount what this needs: {made.stderr.decode().strip()}")
        pytest.skip("only root may mount the file system that this needs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def unwritable(folder: Path) -> Iterator[Path]:
    """A folder that is made and cannot be written; to root modes say nothing, a read-only disk does."""
    if os.getuid() == 0:
        with mounted(folder, "ro") as made:
            yield made
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
