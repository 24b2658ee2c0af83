"""The demo cut short, carried to the test's cluster by the project's own profile and Snakemake's own plugin."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interruption.examine import TARGET
from tests.slurm.cluster import Cluster

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
OTHERWISE = [
    *("--profile", "workflow/profiles/slurm", "--slurm-init-seconds-before-status-checks", "2"),
    *("--latency-wait", "10", "--set-threads", "render_demo=4"),
]
"""The profile, and what a test has otherwise: it asks more often, and its nodes have four processors."""
FAKE_GPUS = [f"{rule}:gpu=1" for rule in ("pretrain", "finetune", "evaluate")]
"""The demo trains on the CPU; here its trainings ask for a GPU all the same."""
FINISH_SECONDS = 600
MOST_COMMANDS = 5
UNLOCK = "--unlock"


def start(
    cluster: Cluster, folder: Path, *resources: str, targets: Sequence[str] = (TARGET,), options: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start Snakemake as on a login node; what it says is added to `snakemake.out`.

    Args:
        cluster: Where the jobs go.
        folder: The checkout.
        resources: Further ones to set, such as `pretrain:runtime=1`.
        targets: What to make.
        options: Of Snakemake, further ones.
    """
    command = [*SNAKEMAKE, *targets, *OTHERWISE, *options, "--set-resources", *FAKE_GPUS, *resources]
    with open(folder / "snakemake.out", "ab") as words:
        return subprocess.Popen(
            command, cwd=folder, env=_environment(cluster), stdout=words, stderr=words, start_new_session=True
        )


def finish(cluster: Cluster, folder: Path, running: subprocess.Popen[bytes], may_fail: bool = False) -> int:
    """Wait until it is done; where it was killed, type what a user types then, and wait for that.

    Args:
        cluster: Where the jobs go.
        folder: The checkout.
        running: From `start`.
        may_fail: Whether this one may end badly, as on a full disk.

    Returns:
        How often the command had to be typed again.
    """
    for commands in range(MOST_COMMANDS):
        before = len(said(folder)) if commands else 0
        code = ended(running, folder)
        words = said(folder)[before:]
        if code == 0:
            return commands
        assert code < 0 or UNLOCK in words or (may_fail and commands == 0), words
        if UNLOCK in words:
            unlock = [*SNAKEMAKE, UNLOCK, TARGET]
            subprocess.run(unlock, cwd=folder, env=_environment(cluster), check=True, capture_output=True)
        running = start(cluster, folder)
    raise AssertionError(f"{folder}: {MOST_COMMANDS} times the same command did not end well; see snakemake.out")


def ended(running: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait until Snakemake has ended, and return its exit code.

    Raises:
        AssertionError: It does not; it is killed, and what it said is told.
    """
    try:
        return running.wait(FINISH_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        raise AssertionError(f"not within {FINISH_SECONDS} s: Snakemake ends\n{said(folder)}") from None


def said(folder: Path) -> str:
    """All that Snakemake has said so far."""
    return (folder / "snakemake.out").read_text(errors="replace")


@dataclass(frozen=True)
class Place:
    """Where a step ran, as its log says."""

    job: str
    node: str
    gpus: str | None
    """Its CUDA_VISIBLE_DEVICES."""


def place_of(log: Path) -> Place | None:
    """Where the step of a log ran; None where it was in no job."""
    found = re.search(r"SLURM job (\d+) on (\S+) with (?:no GPU|CUDA_VISIBLE_DEVICES=(\S+))", log.read_text())
    return None if found is None else Place(found[1], found[2], found[3])


def copy_of(folder: Path, target: Path) -> Path:
    """A checkout with all that was made in it, and with Snakemake's memory of that."""
    return Path(shutil.copytree(folder, target, symlinks=True))


def _environment(cluster: Cluster) -> dict[str, str]:
    return os.environ | cluster.environment()
