"""Run the demo on SLURM, interrupt it, resume it if necessary, and compare it with an undisturbed run."""

import random
import shutil
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import psutil

from tests.interruption.comparison import problems
from tests.interruption.trial import DISK, Trial, kill_processes_in
from tests.mounts import mounted
from tests.slurm.cluster import Cluster
from tests.slurm.job_interruptions import JOB_INTERRUPTIONS, STEPS, RunningJob, fill_disk, wait_for_job
from tests.slurm.submission import finish, start

STEP_SECONDS = 10.0
"""Typical length of a step of the short demo."""


def run_interrupted_on_slurm(
    cluster: Cluster, prepared: Path, reference: Path, folder: Path, name: str, step: str, draw: random.Random
) -> Trial | None:
    """Run a copy of a prepared checkout on the cluster, interrupt it, resume it to its end, and compare.

    A job of the step is hit at a random moment after the first has started. Returns None if the last one had ended
    before, and the run succeeded. The copy is removed, unless there are problems.
    """
    on_full_disk = JOB_INTERRUPTIONS[name] is fill_disk
    with mounted(folder, DISK) if on_full_disk else nullcontext():
        shutil.copytree(prepared, folder, symlinks=True, dirs_exist_ok=True)
        began = time.monotonic()
        run = start(cluster.environment, folder)
        job, moment = _interrupt(cluster, folder, run, name, step, draw)
        resumes = finish(cluster.environment, folder, run, may_fail=on_full_disk)
        found = problems(folder, reference)
        seconds = time.monotonic() - began
        kill_processes_in(folder)
    if not found:
        shutil.rmtree(folder)
    if job is None and not found:
        return None
    hit = "nothing" if job is None else f"{step} {job.target.name}, {cluster.jobs()[job.number].state}"
    return Trial(name, moment, hit, resumes, seconds, found)


def _interrupt(
    cluster: Cluster, folder: Path, run: subprocess.Popen[bytes], name: str, step: str, draw: random.Random
) -> tuple[RunningJob | None, float]:
    """Interrupt a job of a step; return it, or None if there was none, and the seconds since the start."""
    began = time.monotonic()
    try:
        wait_for_job(folder, run, draw, STEPS[step])
        threading.Event().wait(draw.uniform(0, STEP_SECONDS))
        job = wait_for_job(folder, run, draw, STEPS[step])
        moment = time.monotonic() - began
        JOB_INTERRUPTIONS[name](cluster, job, run)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None, -1.0
    return job, moment
