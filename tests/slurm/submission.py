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
FINISH_SECONDS = 500


def start(
    cluster: Cluster, folder: Path, *resources: str, targets: Sequence[str] = (TARGET,)
) -> subprocess.Popen[bytes]:
    """Start Snakemake as on a login node; what it says is added to `snakemake.out`.

    Args:
        cluster: Where the jobs go.
        folder: The checkout.
        resources: Further ones to set, such as `pretrain:runtime=1`.
        targets: What to make.
    """
    command = [*SNAKEMAKE, *targets, *OTHERWISE, "--set-resources", *FAKE_GPUS, *resources]
    with open(folder / "snakemake.out", "ab") as words:
        return subprocess.Popen(
            command, cwd=folder, env=_environment(cluster), stdout=words, stderr=words, start_new_session=True
        )


def finish(cluster: Cluster, folder: Path, running: subprocess.Popen[bytes]) -> None:
    """Wait until it is done; where it was killed, type what a user types then, and wait for that."""
    if running.wait(FINISH_SECONDS) < 0:
        again = start(cluster, folder)
        again.wait(FINISH_SECONDS)
        if again.returncode and "--unlock" in said(folder):
            unlock = [*SNAKEMAKE, "--unlock", TARGET]
            subprocess.run(unlock, cwd=folder, env=_environment(cluster), check=True, capture_output=True)
            again = start(cluster, folder)
        running = again
    assert running.wait(FINISH_SECONDS) == 0, said(folder)


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
