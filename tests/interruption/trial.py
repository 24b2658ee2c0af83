"""Run the demo, interrupt it, resume it until it is done, and compare it with an undisturbed run."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.interruption.comparison import TARGET, problems
from tests.interruption.interruptions import INTERRUPTIONS, RUN_SECONDS, Interruption, fill_disk, running_jobs
from tests.mounts import mounted
from tests.workflow.conftest import copy_checkout

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
RUN = [*SNAKEMAKE, "--cores", "2", TARGET, "--rerun-incomplete"]
ENVIRONMENT = os.environ | {"PATH": os.defpath}
MAX_RESUMES = 15
DISK = "size=1500m"

FREQUENT_CHECKPOINTS = """
pretrain: {subjects: 3, epochs: 1, checkpoint: {every_steps: 2}}
finetune: {epochs: 2, checkpoint: {every_steps: 5}}
"""


@dataclass(frozen=True)
class Trial:
    """The outcome of a trial."""

    interruption: str
    moment: float
    """Seconds after the start."""
    jobs: str
    """The jobs that were running then; on SLURM the job that was hit, and its final state."""
    resumes: int
    seconds: float
    """From the first start to the end of the last command."""
    problems: list[str]


def prepare(folder: Path) -> Path:
    """Make a checkout with the rendered videos of the demo and nothing else; its trainings save often."""
    copy_checkout(folder)
    path = folder / "params" / "demo-short.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("pretrain", "finetune"))]
    path.write_text("\n".join(lines) + FREQUENT_CHECKPOINTS)
    for other in (folder / "params").glob("*.yaml"):
        if other.stem not in ("demo", "demo-short"):
            other.unlink()
    call(folder, [*SNAKEMAKE, "--cores", "2", "data/raw/demo-short/render.json"])
    return folder


def run_undisturbed(prepared: Path, folder: Path) -> float:
    """Run a copy of a prepared checkout to its end, and return the seconds it took."""
    shutil.copytree(prepared, folder, symlinks=True)
    began = time.monotonic()
    call(folder, RUN)
    return time.monotonic() - began


def call(folder: Path, command: list[str], environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Run a command in a checkout."""
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def run_interrupted(
    prepared: Path, reference: Path, folder: Path, name: str, moment: float, draw: random.Random
) -> Trial | None:
    """Run a copy of a prepared checkout, interrupt it, resume it to its end, and compare with the undisturbed run.

    The copy is removed, unless there are problems. The moment is in seconds after the start. Returns None if the run
    had ended before.
    """
    interrupt = INTERRUPTIONS[name]
    with mounted(folder, DISK) if interrupt is fill_disk else nullcontext():
        shutil.copytree(prepared, folder, symlinks=True, dirs_exist_ok=True)
        began = time.monotonic()
        jobs = _interrupt(folder, interrupt, moment, draw)
        resumes, found = (-1, []) if jobs is None else (_resume(folder), problems(folder, reference))
        seconds = time.monotonic() - began
        kill_processes_in(folder)
    if not found:
        shutil.rmtree(folder)
    return None if jobs is None else Trial(name, moment, jobs, resumes, seconds, found)


def _interrupt(folder: Path, interrupt: Interruption, moment: float, draw: random.Random) -> str | None:
    """Interrupt a new run; return the jobs that were running then, or None if the run had ended."""
    with open(folder / "first.out", "w") as output:
        run = subprocess.Popen(RUN, cwd=folder, env=ENVIRONMENT, stdout=output, stderr=output, start_new_session=True)
        try:
            run.wait(moment)
            return None
        except subprocess.TimeoutExpired:
            jobs = sorted(set(running_jobs(run).values()))
        try:
            interrupt(folder, run, draw)
        except (ProcessLookupError, psutil.NoSuchProcess):
            return None
        finally:
            run.wait(RUN_SECONDS)
    return ", ".join(jobs) or "between jobs"


def _resume(folder: Path) -> int:
    """Repeat the command until it succeeds, and return how often; unlock the folder if Snakemake says so."""
    for resume in range(1, MAX_RESUMES + 1):
        ran = subprocess.run(
            RUN, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=1800, check=False
        )
        output = ran.stdout + ran.stderr
        (folder / f"resume{resume}.out").write_text(output)
        if ran.returncode == 0:
            return resume
        if "--unlock" in output:
            call(folder, [*SNAKEMAKE, "--unlock", TARGET])
    raise AssertionError(f"{folder}: the same command failed {MAX_RESUMES} times; see resume*.out")


def kill_processes_in(folder: Path) -> None:
    """Kill processes that still run in a folder."""
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(folder)]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=30)


def can_mount() -> bool:
    """Whether this user can mount a disk."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), DISK):
                return True
        except pytest.skip.Exception:
            return False
