"""State of a job. It is read from files alone, so any machine that sees the disk can show it.

A process that works on a job holds its lease, see `clef.runtime.lease`.
"""

import contextlib
import json
import re
import statistics
import time
from dataclasses import dataclass
from typing import Any, Literal

from clef.runs.jobs import TRAININGS, Job
from clef.runs.messages import last_line, read_tail
from clef.runtime.lease import holder_of
from clef.tracking.location import read_page_links
from clef.tracking.record import Record, read_record, record_path

StateName = Literal["done", "running", "stopped", "failed", "waiting"]
"""`stopped`: started, but no process works on it now."""

SPEED_STEPS = 20
"""Speed is the median over this many steps."""


@dataclass(frozen=True)
class State:
    """State of a job. Unknown values are None."""

    job: Job
    kind: StateName
    host: str | None = None
    """Host of the running process."""
    slurm_job: str | None = None
    heartbeat_age: float | None = None
    """Seconds since the lease was refreshed."""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    last_line: str | None = None
    """Last line of the log, unless the job is done."""
    link: str | None = None
    """Page of the training in MLflow."""
    run_link: str | None = None
    """Page of its parent run in MLflow."""

    def plain(self) -> dict[str, Any]:
        """The known values for JSON."""
        job, log = self.job, None if self.last_line is None else str(self.job.log)
        about = {"rule": job.step, "run_or_dataset": job.owner, "seed": job.seed, "fold": job.fold, "shard": job.shard}
        known = about | {"log": log} | vars(self)
        return {name: value for name, value in known.items() if name != "job" and value is not None}


def state_of(job: Job) -> State:
    """Read the state of a job from its files."""
    record = read_record(record_path(job.target)) if job.step in TRAININGS else None
    link, run_link = read_page_links(record_path(job.target), record.run.key) if record is not None else (None, None)
    if all(path.exists() for path in job.outputs):
        return State(job, "done", link=link, run_link=run_link)
    known: dict[str, Any] = {"link": link, "run_link": run_link, "slurm_job": _slurm_job(job)}
    known |= _progress(job, record) if record is not None else {}
    line, own = last_line(job.log, job.name) or (None, False)
    if (holder := holder_of(job.target)) is not None:
        age = round(max(0.0, time.time() - holder.refreshed), 1)
        return State(job, "running", host=holder.host, heartbeat_age=age, last_line=line, **known)
    known.pop("seconds_left", None)
    failed = own and line.startswith("error: ") if line is not None else record and record.status == "failed"
    started = record is not None or job.log.exists()
    return State(job, "failed" if failed else "stopped" if started else "waiting", last_line=line, **known)


def _progress(job: Job, record: Record) -> dict[str, Any]:
    """Step, loss, speed and time left, from the end of the metrics file."""
    points = []
    for line in read_tail(job.target.with_suffix(".metrics.jsonl")).split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            point = json.loads(line)
            points += [point] if isinstance(point, dict) and {"step", "time"} <= point.keys() else []
    if not points:
        return {"steps": record.steps}
    last = points[-1]
    progress = {"steps": record.steps, "step": last["step"], "loss": last.get("train/loss")}
    recent = [point for point in points if point["time"] >= record.resumed]
    key = "speed/images_per_second"
    if speeds := [point[key] for point in recent[-SPEED_STEPS:] if point.get(key) is not None]:
        progress["images_per_second"] = round(statistics.median(speeds), 1)
    if len(recent) > 1 and record.steps is not None:
        # Not from the speed, since predictions between epochs take time too.
        per_step = (last["time"] - recent[0]["time"]) / (last["step"] - recent[0]["step"])
        progress["seconds_left"] = round(per_step * (record.steps - last["step"]), 1)
    return progress


def _slurm_job(job: Job) -> str | None:
    """Number of the SLURM job, from the first line of the log."""
    with contextlib.suppress(OSError), open(job.log, "rb") as file:
        if found := re.search(rb", SLURM job (\S+) on ", file.readline(1024)):
            return found[1].decode()
    return None
