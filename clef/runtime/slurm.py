"""Check SLURM's settings, and cancel jobs that a killed Snakemake left in the queue.

Each Snakemake holds the lease of its own folder below `RECORDS`. Our `sbatch`, in `workflow/profiles/slurm/bin`, writes
the number of every submitted job to that folder. If no live process holds the lease, the jobs are orphans.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path

from clef.errors import ClefError, LeaseHeldError
from clef.runtime.lease import leased

RECORDS = Path(".snakemake", "slurm_jobs")
RECORD_VARIABLE = "CLEF_SLURM_JOBS"
CANCEL_SECONDS = 180  # SLURM gives a job 30 s to exit by default, and notices its exit within another 30 s or so

LEAST_JOB_AGE = 240
"""Seconds for which SLURM must list ended jobs: plugin 2.8 asks every three minutes at least."""


def prepare_submission(checkout: Path, programs: Path) -> list[str]:
    """Cancel orphaned jobs, return their numbers, and record the jobs that this Snakemake is going to submit.

    Orphans would hold the leases that new jobs need. Jobs of other live Snakemakes are left alone. Our `sbatch`, in the
    folder `programs`, is put first on PATH.

    Raises:
        ClefError: Jobs cannot start this Python, SLURM does not answer or forgets ended jobs too soon, or the orphans
            do not end.
    """
    if re.search(r"[^\w@%+=:,./-]", sys.executable):
        raise ClefError(
            f"{sys.executable}: Snakemake's jobs on SLURM cannot start a Python with spaces or special signs in its "
            "path; install the environment in a folder without them"
        )
    require_job_age()
    os.environ["PATH"] = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    orphans = cancel_orphans(checkout)
    record = (checkout / RECORDS / uuid.uuid4().hex).absolute()
    record.mkdir(parents=True)
    lease = ExitStack()
    lease.enter_context(leased(record))
    atexit.register(lease.close)
    os.environ[RECORD_VARIABLE] = str(record)
    return orphans


def require_job_age() -> None:
    """Raise ClefError if SLURM forgets ended jobs before Snakemake asks for them, and no accounting remembers them."""
    settings = dict(re.findall(r"^(\w+) *= (.*)", "\n".join(_call("scontrol", "show", "config")), re.MULTILINE))
    age = int(settings["MinJobAge"].split()[0])  # 0: never
    if 0 < age < LEAST_JOB_AGE and "slurmdbd" not in settings["AccountingStorageType"]:
        raise ClefError(
            f"SLURM forgets jobs {age} s after they end (MinJobAge={age}) and has no accounting, so Snakemake would "
            f"wait for them forever; ask its administrator for MinJobAge={LEAST_JOB_AGE} or more in slurm.conf"
        )


def cancel_orphans(checkout: Path) -> list[str]:
    """Cancel the jobs that dead Snakemakes recorded, and wait until they have ended; see `prepare_submission`."""
    cancelled = []
    for record in [path for path in (checkout / RECORDS).glob("*") if path.is_dir()]:
        with suppress(LeaseHeldError), leased(record):
            # `sbatch --parsable` prints NUMBER or NUMBER;CLUSTER.
            recorded = {line.partition(";")[0] for file in record.iterdir() for line in file.read_text().splitlines()}
            cancelled += _cancel(recorded, checkout)
            shutil.rmtree(record)
    return cancelled


def _cancel(recorded: set[str], checkout: Path) -> list[str]:
    """Cancel those of the recorded jobs that are still queued; the folder is compared because SLURM reuses numbers."""
    queue = [line.split("|", 1) for line in _call("squeue", "--me", "--noheader", "--format=%i|%Z")] if recorded else []
    jobs = [number for number, folder in queue if number in recorded and Path(folder).resolve() == checkout.resolve()]
    if jobs:
        _call("scancel", *jobs)
    left = jobs
    for _ in range(CANCEL_SECONDS):
        if not left:
            return jobs
        time.sleep(1)
        left = sorted({*_call("squeue", "--me", "--noheader", "--format=%i")} & {*jobs})
    raise ClefError(
        f"SLURM: jobs {', '.join(left)} of an earlier Snakemake did not end within {CANCEL_SECONDS} s of `scancel`; "
        "see `squeue --me`, and run the same command when they are gone"
    )


def _call(*command: str) -> list[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    except (FileNotFoundError, subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        reason = " ".join(str(getattr(error, "stderr", None) or error).split())
        raise ClefError(
            f"SLURM: `{command[0]}` failed ({reason}); start Snakemake on a login node, when `sinfo` answers there"
        ) from None
