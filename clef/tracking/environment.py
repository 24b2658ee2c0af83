"""Host, SLURM job, git revision and library versions of a computation. They become tags and are part of no key."""

import os
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import clef

GIT_SECONDS = 5.0
LIBRARIES = {"torch": "torch", "open_clip": "open_clip_torch", "clef": "clef"}


def environment_tags() -> dict[str, str]:
    """Tags for everything that this process computes; unknown values are left out."""
    tags = {"host": socket.gethostname()}
    for library, distribution in LIBRARIES.items():
        try:
            tags[f"version.{library}"] = version(distribution)
        except PackageNotFoundError:
            continue
    if job := os.environ.get("SLURM_JOB_ID"):
        tags["slurm.job_id"] = job
    if commit := _git("rev-parse", "HEAD"):
        dirty = str(bool(_git("status", "--porcelain", "-uno"))).lower()
        tags |= {"git": commit, "git.dirty": dirty, "mlflow.source.git.commit": commit}
    return tags


def _git(*words: str) -> str | None:
    folder = Path(clef.__file__).parents[1]
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
