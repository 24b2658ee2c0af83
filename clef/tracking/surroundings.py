"""Where and with what a unit is computed: host, job, revision, versions. Only tags are made of these, never a key."""

import os
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import clef

GIT_SECONDS = 5.0
LIBRARIES = {"torch": "torch", "open_clip": "open_clip_torch", "clef": "clef"}


def surroundings() -> dict[str, str]:
    """Tags that hold for everything this process computes; what cannot be found out is left out."""
    tags = {"host": socket.gethostname()}
    for library, distribution in LIBRARIES.items():
        try:
            tags[f"version.{library}"] = version(distribution)
        except PackageNotFoundError:
            continue
    if job := os.environ.get("SLURM_JOB_ID"):
        tags["slurm.job_id"] = job
    return tags | revision(Path(clef.__file__).parents[1])


def revision(checkout: Path) -> dict[str, str]:
    """The git revision of a checkout and whether it has changes; nothing where it is not one."""
    commit, changes = (_git(checkout, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    if not commit:
        return {}
    return {"git": commit, "git.dirty": str(bool(changes)).lower(), "mlflow.source.git.commit": commit}


def _git(checkout: Path, *words: str) -> str | None:
    try:
        ran = subprocess.run(
            ["git", *words], cwd=checkout, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
