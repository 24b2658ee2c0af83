"""Jobs of SLURM that a Snakemake which is no more has left in the queue."""

import atexit
import os
import re
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clef.errors import ClefError
from clef.runtime.lease import Lease, leased, live

SNAKEMAKES = re.compile(r"(.*_)?[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
"""The name that Snakemake's plugin gives the jobs of one call: a random one, after a prefix if there is one."""
ANSWER_SECONDS = 60.0
END_SECONDS = 180.0
"""SLURM leaves a cancelled job half a minute by default, and looks after its end about as often."""
ATTENDED = Path(".snakemake", "slurm_runs")
"""The leases of the Snakemakes that wait for jobs, by the name of their jobs."""


@dataclass(frozen=True)
class Queued:
    """A job that waits, runs or is ending."""

    number: str
    name: str
    folder: str


def submit_by(programs: Path) -> None:
    """Let this process find the programs of a folder before SLURM's own."""
    os.environ["PATH"] = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])


def attend(checkout: Path, name: str) -> None:
    """Show, until this process ends, that somebody waits for the jobs of that name.

    Args:
        checkout: The folder that the workflow runs in.
        name: Of all jobs of this Snakemake.
    """
    held = ExitStack()
    held.enter_context(leased(checkout / ATTENDED / name))
    atexit.register(held.close)


def end_orphans(checkout: Path) -> list[str]:
    """End the jobs that a Snakemake which was killed left in the queue, and wait until they are gone.

    What they make would be made again in any case, by a job that they would keep off its work folder, and that goes on
    from the last recovery checkpoint. Jobs that another Snakemake of the folder waits for are its own: Snakemake's lock
    is on outputs, so that several may be at work in one folder.

    Args:
        checkout: The folder that the workflow runs in.

    Returns:
        The numbers of the jobs.

    Raises:
        ClefError: SLURM does not answer, or they do not end.
    """
    queued = [job for job in _queue() if SNAKEMAKES.fullmatch(job.name) and _same(job.folder, checkout)]
    dead = {name for name in {job.name for job in queued} if _nobody_attends(checkout / ATTENDED / name)}
    for lease in (checkout / ATTENDED).glob("[!.]*.lease"):
        if not live(lease):
            lease.unlink(missing_ok=True)
    orphans = [job.number for job in queued if job.name in dead]
    if not orphans:
        return []
    _call("scancel", *orphans)
    pause, began = threading.Event(), time.monotonic()
    while left := {job.number for job in _queue()} & {*orphans}:
        if time.monotonic() - began > END_SECONDS:
            raise ClefError(
                f"SLURM: jobs {', '.join(sorted(left))} of an earlier Snakemake do not end; expected them to within "
                f"{END_SECONDS:.0f} s of `scancel`; see `squeue --me`, and type the same command when they are gone"
            )
        pause.wait(1)
    return orphans


def _queue() -> list[Queued]:
    """This user's jobs that have not ended."""
    lines = _call("squeue", "--me", "--noheader", "--format=%i|%j|%Z").splitlines()
    return [Queued(*line.split("|", 2)) for line in lines]


def _nobody_attends(target: Path) -> bool:
    """Whether the lease can be had, or is not there: a Snakemake takes its own before it submits a job."""
    lease = Lease(target)
    try:
        lease.acquire()
    except ClefError:
        return False
    lease.release()
    return True


def _same(folder: str, checkout: Path) -> bool:
    return Path(folder).resolve() == checkout.resolve()


def _call(*command: str) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True)
    except FileNotFoundError:
        raise ClefError(f"SLURM: no `{command[0]}` here; start Snakemake on a login node of the cluster") from None
    except subprocess.TimeoutExpired:
        raise ClefError(
            f"SLURM: `{command[0]}` gave no answer in {ANSWER_SECONDS:.0f} s; try again when `sinfo` answers"
        ) from None
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
        raise ClefError(f"SLURM: `{command[0]}` failed ({reason}); try again when `sinfo` answers") from None
    return ran.stdout
