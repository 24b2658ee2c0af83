"""What became of a job, from its files alone: any node that sees the disk can tell.

Who works on a job holds its lease. On the same host the process decides; from another one a lease whose heartbeat is
old means that nobody is at work any more.
"""

import json
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clef.runs.jobs import TRAININGS, Job
from clef.runtime.lease import holder_of
from clef.tracking.location import read_page_links
from clef.tracking.record import Record, read_record, record_path

Kind = Literal["done", "running", "stopped", "failed", "waiting"]
"""`stopped`: begun, and nobody is at work on it; the workflow's command goes on with it."""

TAIL_BYTES = 65_536
"""Of a file of metrics or a log, which grow to megabytes: some two hundred steps."""
HEAD_BYTES = 1024
LATEST = 20
"""Steps over which the images a second are taken."""


@dataclass(frozen=True)
class State:
    """What became of a job."""

    job: Job
    kind: Kind
    host: str | None = None
    """Where it runs."""
    slurm_job: str | None = None
    """In which it runs, or ran until it was stopped or failed."""
    heartbeat_age: float | None = None
    """Seconds since the lease of a running job was renewed."""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    last_line: str | None = None
    """Of the log, unless the job is done."""
    link: str | None = None
    """Address in MLflow, once the training is there."""
    run_link: str | None = None
    """Address of the run that it is nested below."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it; what is not known is left out."""
        known = {name: value for name, value in vars(self).items() if name != "job" and value is not None}
        job = self.job
        about = {"step_of_chain": job.step, "of": job.owner, "seed": job.seed, "fold": job.fold, "shard": job.shard}
        about |= {"log": str(job.log) if "last_line" in known else None}
        return {name: value for name, value in about.items() if value is not None} | known


def state_of(job: Job, now: float | None = None) -> State:
    """Look at the files of a job.

    Args:
        job: Which.
        now: Seconds since the epoch; this moment without.
    """
    record = read_record(record_path(job.target)) if job.step in TRAININGS else None
    links = read_page_links(record_path(job.target), record.run.key) if record is not None else (None, None)
    if all(path.exists() for path in job.outputs):
        return State(job, "done", link=links[0], run_link=links[1])
    holder = holder_of(job.target)
    numbers = _numbers(job, record) if record is not None else {}
    last_line, failed = _last_words(job)
    if holder is not None:
        age = max(0.0, (time.time() if now is None else now) - holder.refreshed)
        return State(
            job,
            "running",
            host=holder.host,
            slurm_job=_slurm_job(job),
            heartbeat_age=round(age, 1),
            last_line=last_line,
            link=links[0],
            run_link=links[1],
            **numbers,
        )
    numbers.pop("seconds_left", None)
    numbers["slurm_job"] = _slurm_job(job)
    failed = failed or (record is not None and record.status == "failed" and last_line is None)
    begun = last_line is not None or job.log.exists() or record is not None
    kind: Kind = "failed" if failed else "stopped" if begun else "waiting"
    return State(job, kind, last_line=last_line, link=links[0], run_link=links[1], **numbers)


def _numbers(job: Job, record: Record) -> dict[str, Any]:
    """Step, loss, speed and time left, from the end of the file of metrics."""
    lines = _tail(job.target.with_suffix(".metrics.jsonl")).split(b"\n")[:-1]
    records = [metrics for line in lines if (metrics := _parsed(line)) is not None]
    numbers: dict[str, Any] = {"steps": record.steps}
    if not records:
        return numbers
    last = records[-1]
    numbers |= {"step": last["step"], "loss": last.get("train/loss")}
    own = [metrics for metrics in records if metrics["time"] >= record.resumed]
    speeds = [s for metrics in own[-LATEST:] if (s := metrics.get("speed/images_per_second")) is not None]
    if speeds:
        numbers["images_per_second"] = round(statistics.median(speeds), 1)
    if len(own) > 1 and record.steps is not None:
        # Not by the images a second: predictions between the epochs take their time too.
        a_step = (own[-1]["time"] - own[0]["time"]) / (own[-1]["step"] - own[0]["step"])
        numbers["seconds_left"] = round(a_step * (record.steps - last["step"]), 1)
    return numbers


def _last_words(job: Job) -> tuple[str | None, bool]:
    """The last line of a log, the job's own if its end has one; and whether it says that the job failed."""
    lines = _tail(job.log).decode("utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    own = [line for line in lines[-20:] if line.startswith(f"{job.name}: ")]
    if own:
        said = own[-1].removeprefix(f"{job.name}: ")
        return said, said.startswith("error: ")
    return (lines[-1], False) if lines else (None, False)


def _slurm_job(job: Job) -> str | None:
    """In which job of SLURM a job ran, as the first line of its log says."""
    try:
        with open(job.log, "rb") as file:
            first = file.readline(HEAD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r", SLURM job (\S+) on ", first)
    return found[1] if found else None


def _tail(path: Path) -> bytes:
    """The end of a file; from a line's beginning, where there is more of it."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read()
    except OSError:
        return b""
    return content if size <= TAIL_BYTES else content[content.find(b"\n") + 1 :]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        metrics = json.loads(line)
    except ValueError:
        return None
    return metrics if isinstance(metrics, dict) and {"step", "time"} <= metrics.keys() else None
