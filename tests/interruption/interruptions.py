"""Ways to interrupt a run on one machine. Each returns after the run has ended, or is about to end."""

import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

RUN_SECONDS = 900


def running_jobs(run: subprocess.Popen) -> dict[psutil.Process, str]:
    """The jobs that a Snakemake is running, with the names of their steps."""
    found = {}
    for process in psutil.Process(run.pid).children(recursive=True):
        with suppress(psutil.Error):
            command = process.cmdline()
            if command[1:4] == ["-m", "clef", "--log"]:
                found[process] = command[5]
    return found


def wait_for_job(run: subprocess.Popen, draw: random.Random) -> psutil.Process:
    """Wait until jobs run, and choose one; a ProcessLookupError says that the run ended before."""
    pause = threading.Event()
    while run.poll() is None:
        if jobs := running_jobs(run):
            return draw.choice(list(jobs))
        pause.wait(0.02)
    raise ProcessLookupError("the run had ended")


def kill_job(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Kill a job with SIGKILL, as the kernel does when memory runs out."""
    wait_for_job(run, draw).kill()


def terminate_job(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Send SIGTERM to a job."""
    wait_for_job(run, draw).terminate()


def kill_snakemake(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Kill Snakemake with SIGKILL; its jobs continue."""
    run.kill()


def terminate_snakemake(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Send SIGTERM to Snakemake."""
    run.terminate()


def press_ctrl_c(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Send SIGINT to Snakemake and all its children, as a terminal does."""
    os.killpg(run.pid, signal.SIGINT)


def cut_power(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Kill all processes in the checkout at once."""
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(folder):
            process.kill()


def fill_disk(folder: Path, run: subprocess.Popen, draw: random.Random) -> None:
    """Fill the checkout's disk until the run has ended."""
    with full_disk(folder):
        run.wait(RUN_SECONDS)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Fill the file system of a folder during the block."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    try:
        yield
    finally:
        filler.unlink()


Interruption = Callable[[Path, subprocess.Popen, random.Random], None]

INTERRUPTIONS: dict[str, Interruption] = {
    "kill -9 of a job": kill_job,
    "SIGTERM to a job": terminate_job,
    "kill -9 of Snakemake": kill_snakemake,
    "SIGTERM to Snakemake": terminate_snakemake,
    "ctrl-C": press_ctrl_c,
    "power cut": cut_power,
    "full disk": fill_disk,
}
