"""The ways in which a run on SLURM is interrupted. Each takes a run that is under way, and most leave it so."""

import json
import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.interruption.means import no_space
from tests.slurm.cluster import Cluster, wait_until

JOB_SECONDS = 900
OUTAGE_SECONDS = 90
ANYTHING = "**/*.lease"
TRAINING_SAVED = "results/**/{stage}.work/recovery.pt"
"""A sign that a training has something to go on from."""
STAGES = {
    "crop": "data/interim/*/*/*.lease",
    "pretrain": "results/**/pretrain.lease",
    "finetune": "results/**/finetune.lease",
    "evaluate": "results/**/metrics.lease",
}
"""A sign of each step that takes long: that it is at work."""


@dataclass(frozen=True)
class AtWork:
    """A step that holds a lease in a job of SLURM."""

    job: str
    process: psutil.Process
    target: Path
    """Its output, without a suffix."""
    checkout: Path


def at_work(folder: Path, sign: str = ANYTHING) -> list[AtWork]:
    """Steps of which a checkout shows a sign: a file in their work folder, or their lease."""
    found = []
    for file in folder.glob(sign):
        target = (file if file.suffix == ".lease" else file.parent).with_suffix("")
        try:
            lease = json.loads(target.with_suffix(".lease").read_text())
            process = psutil.Process(lease["process"])
            if lease["job"] and process.create_time() == lease["started"]:
                found.append(AtWork(lease["job"], process, target, folder))
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            continue
    return found


def some_job(folder: Path, running: subprocess.Popen[bytes], draw: random.Random, sign: str = ANYTHING) -> AtWork:
    """One of those, as soon as there is one.

    Raises:
        ProcessLookupError: The run has ended before.
    """
    wait_until(lambda: running.poll() is not None or bool(at_work(folder, sign)), JOB_SECONDS, f"a job shows {sign}")
    if not (found := at_work(folder, sign)):
        raise ProcessLookupError("the run had ended")
    return draw.choice(found)


def cancel(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """`scancel`, as by an administrator."""
    cluster.call("scancel", step.job)


def exceed_the_time_limit(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """A job that hangs meets its time limit, which is set to the least that SLURM has: a minute."""
    step.process.send_signal(signal.SIGSTOP)
    cluster.call("scontrol", "update", f"JobId={step.job}", "TimeLimit=1")


def requeue(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """`scontrol requeue`, as by a preemption."""
    cluster.call("scontrol", "requeue", step.job)


def lose_the_node(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """The controller gives the node up; it comes back later."""
    node = cluster.jobs()[step.job].node
    cluster.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    wait_until(lambda: cluster.jobs()[step.job].state != "RUNNING", 60, f"job {step.job} has left {node}")
    cluster.call("scontrol", "update", f"NodeName={node}", "State=RESUME")


def kill_the_step(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """`kill -9` of the process, as the kernel does when memory runs out."""
    step.process.kill()


def kill_snakemake(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """`kill -9` of Snakemake, as when the login node goes down: its jobs live on, and nobody waits for them."""
    running.kill()
    running.wait(60)


def crash_the_controller(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """`kill -9` of slurmctld, which is started again when the step, of whose end it hears nothing, is over."""
    cluster.kill_controller()
    psutil.wait_procs([step.process], timeout=OUTAGE_SECONDS)
    cluster.start_controller()


def fill_the_disk(cluster: Cluster, step: AtWork, running: subprocess.Popen[bytes]) -> None:
    """No byte is left on the checkout's disk until the step has failed and Snakemake has had time to see it."""
    with no_space(step.checkout):
        psutil.wait_procs([step.process], timeout=OUTAGE_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            running.wait(OUTAGE_SECONDS / 3)


BY_NAME: dict[str, Callable[[Cluster, AtWork, subprocess.Popen[bytes]], None]] = {
    "scancel": cancel,
    "time limit": exceed_the_time_limit,
    "scontrol requeue": requeue,
    "kill -9 of a job": kill_the_step,
    "kill -9 of Snakemake": kill_snakemake,
    "kill -9 of slurmctld": crash_the_controller,
    "full disk": fill_the_disk,
    "lost node": lose_the_node,
}
