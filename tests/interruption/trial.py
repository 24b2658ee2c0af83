"""One trial: a run of the demo, interrupted at some moment, then the same command until it is done."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.interruption.examine import TARGET, complaints
from tests.interruption.means import END_SECONDS, Means, fill_the_disk, jobs_of
from tests.workflow.conftest import copy_checkout

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "2", TARGET, "--rerun-incomplete"]
MOST_COMMANDS = 15
DISK_BYTES = 1_500_000_000

OFTEN = """
pretrain: {subjects: 3, epochs: 1, checkpoint: {every_steps: 2}}
finetune: {epochs: 2, checkpoint: {every_steps: 5}}
"""


@dataclass(frozen=True)
class Trial:
    """What came of a trial."""

    means: str
    moment: float
    """Seconds after the start."""
    at_work: str
    """The jobs that were running then, or on SLURM the step that was hit, and what became of its job."""
    commands: int
    """How often the command had to be given after it."""
    seconds: float
    """From the first start to the end of the last command."""
    complaints: list[str]


def prepare(folder: Path) -> Path:
    """A checkout whose videos are rendered and nothing else; its trainings save often, as long ones do."""
    copy_checkout(folder)
    path = folder / "params" / "demo-short.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("pretrain", "finetune"))]
    path.write_text("\n".join(lines) + OFTEN)
    for other in (folder / "params").glob("*.yaml"):
        if other.stem not in ("demo", "demo-short"):
            other.unlink()
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "data/raw/demo-short/render.json"]
    subprocess.run(command, cwd=folder, env=_environment(), check=True, capture_output=True)
    return folder


def undisturbed(prepared: Path, folder: Path) -> float:
    """Run a copy of a prepared checkout to its end; returns its seconds."""
    shutil.copytree(prepared, folder, symlinks=True)
    began = time.monotonic()
    subprocess.run(SNAKEMAKE, cwd=folder, env=_environment(), check=True, capture_output=True)
    return time.monotonic() - began


def interrupted(
    prepared: Path, reference: Path, folder: Path, name: str, means: Means, moment: float, draw: random.Random
) -> Trial | None:
    """Run a copy of a prepared checkout, interrupt it, go on to the end, and compare.

    Args:
        prepared: From `prepare`.
        reference: The undisturbed run.
        folder: Where to work; removed afterwards, unless there are complaints.
        name: Of the means.
        means: How to interrupt.
        moment: When, in seconds after the start.
        draw: Further choices.

    Returns:
        None where the run had ended before the moment came.
    """
    with disk_of_its_own(folder) if means is fill_the_disk else nullcontext():
        shutil.copytree(prepared, folder, symlinks=True, dirs_exist_ok=True)
        began = time.monotonic()
        at_work = _interrupt(folder, means, moment, draw)
        if at_work is None:
            found, commands = [], -1
        else:
            commands = _go_on(folder)
            found = complaints(folder, reference)
        seconds = time.monotonic() - began
        end_all_in(folder)
    if not found:
        shutil.rmtree(folder)
    return None if at_work is None else Trial(name, moment, at_work, commands, seconds, found)


def _interrupt(folder: Path, means: Means, moment: float, draw: random.Random) -> str | None:
    """The jobs that were at work at the moment; None where the run had ended."""
    with open(folder / "first.out", "w") as words:
        running = subprocess.Popen(
            SNAKEMAKE, cwd=folder, env=_environment(), stdout=words, stderr=words, start_new_session=True
        )
        try:
            running.wait(moment)
            return None
        except subprocess.TimeoutExpired:
            at_work = sorted(set(jobs_of(running).values()))
        try:
            means(folder, running, draw)
        except (ProcessLookupError, psutil.NoSuchProcess):
            running.wait(END_SECONDS)
            return None
        running.wait(END_SECONDS)
    return ", ".join(at_work) or "between jobs"


def _go_on(folder: Path) -> int:
    """Give the command until it succeeds, as its own words say; returns how often."""
    for command in range(1, MOST_COMMANDS + 1):
        ran = subprocess.run(
            SNAKEMAKE, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=1800, check=False
        )
        words = ran.stdout + ran.stderr
        (folder / f"again{command}.out").write_text(words)
        if ran.returncode == 0:
            return command
        if "--unlock" in words:
            unlock = [sys.executable, "-m", "snakemake", "--unlock", TARGET]
            subprocess.run(unlock, cwd=folder, env=_environment(), check=True, capture_output=True)
    raise AssertionError(f"{folder}: {MOST_COMMANDS} times the same command did not end well; see again*.out")


def end_all_in(folder: Path) -> None:
    """End what still works in a folder, such as a follower of metrics."""
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(folder)]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=30)


@contextmanager
def disk_of_its_own(folder: Path) -> Iterator[None]:
    """A small disk at a folder, which is made. Only where `why_no_disk` has no objection."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def why_no_disk() -> str | None:
    """Why no disk can be filled here, which is tried; None where it can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with disk_of_its_own(Path(folder)):
                return None
        except subprocess.CalledProcessError:
            return "only root may mount a disk that can be filled"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": os.defpath}
