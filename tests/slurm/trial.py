"""One trial on SLURM: a run of the demo, interrupted at some moment of a step, then the same command if need be."""

import random
import shutil
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import psutil

from tests.interruption.examine import complaints
from tests.interruption.trial import Trial, disk_of_its_own, end_all_in
from tests.slurm import means
from tests.slurm.cluster import Cluster
from tests.slurm.submission import finish, start

MOMENT_SECONDS = 10.0
"""About as long as a step of the demo cut short works."""


def interrupted_on(
    cluster: Cluster, prepared: Path, reference: Path, folder: Path, name: str, stage: str, draw: random.Random
) -> Trial | None:
    """Carry a copy of a prepared checkout to the cluster, interrupt it, go on to the end, and compare.

    Args:
        cluster: Where the jobs go.
        prepared: From `prepare`.
        reference: The undisturbed run, without a cluster.
        folder: Where to work; removed afterwards, unless there are complaints.
        name: Of the means.
        stage: The step that is hit, at a moment drawn from the time after it was first seen at work.
        draw: The moment, and further choices.

    Returns:
        None where the last of these steps had ended before the moment came, and the run ended well.
    """
    full = means.BY_NAME[name] is means.fill_the_disk
    with disk_of_its_own(folder) if full else nullcontext():
        shutil.copytree(prepared, folder, symlinks=True, dirs_exist_ok=True)
        began = time.monotonic()
        running = start(cluster, folder)
        try:
            step, moment = _interrupt(cluster, folder, running, name, stage, draw)
        except (ProcessLookupError, psutil.NoSuchProcess):
            step, moment = None, -1.0
        commands = finish(cluster, folder, running, may_fail=full)
        found = complaints(folder, reference)
        seconds = time.monotonic() - began
        end_all_in(folder)
    if not found:
        shutil.rmtree(folder)
    if step is None and not found:
        return None
    hit = "nothing" if step is None else f"{stage} {step.target.name}, {cluster.jobs()[step.job].state}"
    return Trial(name, moment, hit, commands, seconds, found)


def _interrupt(
    cluster: Cluster, folder: Path, running: subprocess.Popen[bytes], name: str, stage: str, draw: random.Random
) -> tuple[means.AtWork, float]:
    """Interrupt a step at some moment; returns it, and how many seconds after the start that was."""
    began = time.monotonic()
    means.some_job(folder, running, draw, means.STAGES[stage])
    threading.Event().wait(draw.uniform(0, MOMENT_SECONDS))
    step = means.some_job(folder, running, draw, means.STAGES[stage])
    moment = time.monotonic() - began
    means.BY_NAME[name](cluster, step, running)
    return step, moment
