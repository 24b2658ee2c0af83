"""Ways to interrupt a run on SLURM. After most of them the run continues."""

import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from clef.runtime.lease import holder_of
from tests.interruption.interruptions import full_disk
from tests.slurm.cluster import Cluster, wait_until

JOB_SECONDS = 900
EXIT_SECONDS = 90
CHECKPOINT = "results/**/{stage}.work/recovery.pt"
"""Exists once a training can be resumed."""
STEPS = {
    "crop": "data/interim/*/*/*.lease",
    "pretrain": "results/**/pretrain.lease",
    "finetune": "results/**/finetune.lease",
    "evaluate": "results/**/metrics.lease",
}
"""Files that exist while a job of a long step runs."""


@dataclass(frozen=True)
class RunningJob:
    """A SLURM job whose process holds the lease of its output."""

    number: str
    process: psutil.Process
    target: Path
    """Its output, without suffix."""
    checkout: Path


def running_jobs(folder: Path, pattern: str) -> list[RunningJob]:
    """Jobs for which a file exists: their lease, or a file in their work folder."""
    found = []
    for file in folder.glob(pattern):
        target = (file if file.suffix == ".lease" else file.parent).with_suffix("")
        if (holder := holder_of(target)) is not None:
            with suppress(psutil.NoSuchProcess, KeyError):
                process = psutil.Process(holder.pid)
                found.append(RunningJob(process.environ()["SLURM_JOB_ID"], process, target, folder))
    return found


def wait_for_job(folder: Path, run: subprocess.Popen[bytes], draw: random.Random, pattern: str) -> RunningJob:
    """Wait until such jobs run, and choose one; a ProcessLookupError says that the run ended before."""
    description = f"a job has {pattern}"
    wait_until(lambda: run.poll() is not None or bool(running_jobs(folder, pattern)), description, JOB_SECONDS)
    if not (found := running_jobs(folder, pattern)):
        raise ProcessLookupError("the run had ended")
    return draw.choice(found)


def cancel(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Cancel the job, as an administrator may."""
    cluster.call("scancel", job.number)


def exceed_time_limit(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Let the job hang until its time limit, which is set to SLURM's minimum of one minute."""
    job.process.send_signal(signal.SIGSTOP)
    cluster.call("scontrol", "update", f"JobId={job.number}", "TimeLimit=1")


def requeue(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Requeue the job, as after a preemption."""
    cluster.call("scontrol", "requeue", job.number)


def lose_node(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Set the node down until the job has left it."""
    node = cluster.jobs()[job.number].node
    cluster.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    wait_until(lambda: cluster.jobs()[job.number].state != "RUNNING", f"job {job.number} has left {node}")
    cluster.call("scontrol", "update", f"NodeName={node}", "State=RESUME")


def kill_process(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Kill the job's process with SIGKILL, as the kernel does when memory runs out."""
    job.process.kill()


def kill_snakemake(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Kill Snakemake with SIGKILL, as if the login node crashed; its jobs continue."""
    run.kill()
    run.wait(600)


def crash_controller(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Kill slurmctld with SIGKILL, and start it again after the end of the job."""
    cluster.stop_controller(kill=True)
    psutil.wait_procs([job.process], timeout=EXIT_SECONDS)
    cluster.start_controller()


def fill_disk(cluster: Cluster, job: RunningJob, run: subprocess.Popen[bytes]) -> None:
    """Fill the checkout's disk until the job has failed and Snakemake has probably noticed."""
    with full_disk(job.checkout):
        psutil.wait_procs([job.process], timeout=EXIT_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            run.wait(EXIT_SECONDS / 3)


JOB_INTERRUPTIONS: dict[str, Callable[[Cluster, RunningJob, subprocess.Popen[bytes]], None]] = {
    "scancel": cancel,
    "time limit": exceed_time_limit,
    "scontrol requeue": requeue,
    "kill -9 of a job": kill_process,
    "kill -9 of Snakemake": kill_snakemake,
    "kill -9 of slurmctld": crash_controller,
    "full disk": fill_disk,
    "lost node": lose_node,
}
