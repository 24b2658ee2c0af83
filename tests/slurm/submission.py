"""Run the short demo on the test cluster, with the project's own SLURM profile."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.interruption.comparison import TARGET
from tests.interruption.trial import SNAKEMAKE

OPTIONS = [
    *("--profile", "workflow/profiles/slurm", "--slurm-init-seconds-before-status-checks", "2"),
    *("--latency-wait", "10", "--set-threads", "render_demo=4"),
]
"""The profile with shorter waits, and with threads for nodes of four CPUs."""
FAKE_GPUS = [f"{rule}:gpu=1" for rule in ("pretrain", "finetune")]
"""The demo trains on the CPU; these request GPUs all the same."""
RUN_SECONDS = 900
MAX_RESUMES = 5


def start(
    environment: dict[str, str],
    folder: Path,
    *resources: str,
    targets: Sequence[str] = (TARGET,),
    options: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start Snakemake in the environment of a cluster; its output is appended to `snakemake.out`."""
    command = [*SNAKEMAKE, *targets, *OPTIONS, *options, "--set-resources", *FAKE_GPUS, *resources]
    with open(folder / "snakemake.out", "ab") as output:
        return subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )


def finish(environment: dict[str, str], folder: Path, run: subprocess.Popen[bytes], may_fail: bool = False) -> int:
    """Wait for a run; resume it as long as Snakemake was killed or left its lock, and return how often.

    `may_fail`: whether the run may fail, as on a full disk.
    """
    for resumes in range(MAX_RESUMES):
        before = len(output_of(folder)) if resumes else 0
        code = wait(run, folder)
        output = output_of(folder)[before:]
        if code == 0:
            return resumes
        locked = "--unlock" in output
        assert code < 0 or locked or (may_fail and resumes == 0), output
        if locked:
            unlock = [*SNAKEMAKE, "--unlock", TARGET]
            subprocess.run(unlock, cwd=folder, env=os.environ | environment, check=True, capture_output=True)
        run = start(environment, folder)
    raise AssertionError(f"{folder}: the same command failed {MAX_RESUMES} times; see snakemake.out")


def wait(run: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait for Snakemake and return its exit code; kill it if it hangs."""
    try:
        return run.wait(RUN_SECONDS)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        raise AssertionError(f"Snakemake did not end within {RUN_SECONDS} s\n{output_of(folder)}") from None


def output_of(folder: Path) -> str:
    """The output of Snakemake so far."""
    return (folder / "snakemake.out").read_text(errors="replace")


class JobOfLog(NamedTuple):
    """The SLURM job that a step ran in, by its log; its GPUs are CUDA_VISIBLE_DEVICES."""

    number: str
    node: str
    gpus: str | None


def job_of_log(log: Path) -> JobOfLog | None:
    """The job in which a log was written; None without SLURM."""
    found = re.search(r"SLURM job (\d+) on (\S+) with (?:no GPU|CUDA_VISIBLE_DEVICES=(\S+))", log.read_text())
    return None if found is None else JobOfLog(*found.groups())


def copy_of(folder: Path, target: Path) -> Path:
    """A copy of a checkout with all results and Snakemake's records."""
    return Path(shutil.copytree(folder, target, symlinks=True))
