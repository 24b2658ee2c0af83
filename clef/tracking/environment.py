"""Host, SLURM job, git revision and library versions of a computation. They become tags and are part of no key."""

import os
import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import clef

LIBRARIES = {"torch": "torch", "torchvision": "torchvision", "open_clip": "open_clip_torch", "numpy": "numpy"}
"""Libraries that results depend on, and the names of their packages."""


def environment_tags() -> dict[str, str]:
    """Tags for everything that this process computes; unknown values are left out."""
    tags = {"host": socket.gethostname(), "version.clef": clef.__version__}
    tags |= {"version.python": platform.python_version()}
    tags |= {f"version.{name}": version(package) for name, package in LIBRARIES.items()}
    if job := os.environ.get("SLURM_JOB_ID"):
        tags["slurm.job_id"] = job
    if commit := _git("rev-parse", "HEAD"):
        dirty = str(bool(_git("status", "--porcelain", "-uno"))).lower()
        tags |= {"git": commit, "git.dirty": dirty, "mlflow.source.git.commit": commit}
    return tags


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(clef.__file__).parents[1]), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
