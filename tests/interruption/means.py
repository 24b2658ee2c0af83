"""The ways in which a run is interrupted. Each takes a run that is under way and leaves it ended."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

END_SECONDS = 900


def jobs_of(running: subprocess.Popen) -> dict[psutil.Process, str]:
    """The steps that a Snakemake is running, with their names."""
    found = {}
    for process in psutil.Process(running.pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command[1:4] == ["-m", "clef", "--log"]:
            found[process] = command[5]
    return found


def some_job(running: subprocess.Popen, draw: random.Random) -> psutil.Process:
    """One of those, as soon as there is one."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline and running.poll() is None:
        if jobs := jobs_of(running):
            return draw.choice(list(jobs))
        time.sleep(0.02)
    raise ProcessLookupError("the run had ended")


def kill_a_job(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """`kill -9` of a step, as the kernel does when memory runs out."""
    some_job(running, draw).kill()


def end_a_job(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """SIGTERM to a step."""
    some_job(running, draw).terminate()


def kill_snakemake(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """`kill -9` of Snakemake, whose jobs live on."""
    running.kill()


def end_snakemake(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """SIGTERM to Snakemake."""
    running.terminate()


def press_ctrl_c(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """SIGINT to Snakemake and all that it has started, as a terminal sends it."""
    os.killpg(running.pid, signal.SIGINT)


def cut_power(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """`kill -9` of everything that works in the checkout, at one moment."""
    for process in psutil.process_iter(["cwd"]):
        if process.info["cwd"] == str(folder):
            process.kill()


def fill_the_disk(folder: Path, running: subprocess.Popen, draw: random.Random) -> None:
    """No byte is left on the checkout's disk until the run has ended."""
    with no_space(folder):
        running.wait(END_SECONDS)


@contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """Fill the file system of a folder while the block runs."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        filler.unlink()


Means = Callable[[Path, subprocess.Popen, random.Random], None]

LOCAL: dict[str, Means] = {
    "kill -9 of a job": kill_a_job,
    "SIGTERM to a job": end_a_job,
    "kill -9 of Snakemake": kill_snakemake,
    "SIGTERM to Snakemake": end_snakemake,
    "ctrl-C": press_ctrl_c,
    "power cut": cut_power,
    "full disk": fill_the_disk,
}
