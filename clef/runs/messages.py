"""Messages of the workflow at its start and end, and names of its jobs."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clef.runtime.paths import results_folder, summary_file
from clef.runtime.progress import duration

TAIL_BYTES = 65_536
"""Some two hundred lines of metrics."""


@dataclass(frozen=True)
class PlannedJob:
    """A job that Snakemake is about to run."""

    rule: str
    wildcards: Mapping[str, str]
    outputs: Sequence[str]
    logs: Sequence[str]


def job_name(step: str, arguments: Mapping[str, Any]) -> str:
    """Name of a job, such as `pretrain demo seed 0 fold 1`, from its subcommand or its rule and wildcards."""
    step = step.replace("_", "-")
    names = [arguments[key] for key in ("run", "dataset", "shard", "file", "table") if arguments.get(key)]
    names = [*(arguments.get("runs") or []), *names]
    names += [Path(arguments["to"]).name] if arguments.get("to") else []
    numbers = [f"{key} {arguments[key]}" for key in ("seed", "fold") if arguments.get(key) is not None]
    inner = ["inner"] if arguments.get("inner") is True or step.endswith("-inner") else []
    return " ".join([step.removesuffix("-inner"), *names, *numbers, *inner])


def last_line(log: Path, job: str) -> tuple[str, bool] | None:
    """Last line of a log, and whether the job itself printed it at its end; None if there is no line."""
    lines = [line.strip() for line in read_tail(log).decode("utf-8", errors="replace").splitlines() if line.strip()]
    own = [line.removeprefix(f"{job}: ") for line in lines[-20:] if line.startswith(f"{job}: ")]
    if own:
        return own[-1], True
    return (lines[-1], False) if lines else None


def read_tail(path: Path) -> bytes:
    """The last whole lines of a file that may grow to megabytes; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read()
    except OSError:
        return b""
    return content if size <= TAIL_BYTES else content[content.find(b"\n") + 1 :]


def started(jobs: Sequence[PlannedJob], devices: Iterable[str]) -> str:
    """The message at the start, with the devices of the trainings."""
    targets = [str(summary_file(run)) for run in _summarized(jobs)]
    lines = [f"CLEF: {', '.join(targets) or 'the requested files'}", f"  jobs    {len(jobs)}"]
    if devices := sorted(devices):
        lines.append(f"  device  {', '.join(devices)}, for training")
    lines += [
        "  logs    beside each result: results/RUN/seed*/fold*/*.log, data/interim/*/*.log",
        "  To interrupt, press ctrl-C; run the same command to resume.",
    ]
    return "\n".join(lines)


def cancelled(numbers: Sequence[str]) -> str:
    """The message about SLURM jobs of a Snakemake that was killed."""
    jobs = f"job{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
    return f"CLEF: cancelled SLURM {jobs}, left in the queue by an earlier Snakemake; resuming from the saved state."


def finished(jobs: Sequence[PlannedJob], seconds: float) -> str:
    """The message at the end: how long it took, and useful next commands."""
    runs = _summarized(jobs)
    commands = {}
    if len(runs) == 1:
        commands[f"clef show {runs[0]}"] = f"print the table; its files are in {results_folder(runs[0])}/"
    elif runs:
        commands[f"clef compare {' '.join(runs)}"] = "compare the runs"
    commands["make ui"] = "show curves and figures of all runs in the browser"
    width = max(map(len, commands))
    lines = [f"  {command:{width}}  {what}" for command, what in commands.items()]
    return "\n".join([f"CLEF: done in {duration(seconds)}. Next:", *lines])


def failed(jobs: Iterable[PlannedJob], began: float) -> str:
    """The message after a failure: a line for each job that has not finished and wrote to its log since `began`."""
    unfinished = [job for job in jobs if not all(Path(output).exists() for output in job.outputs)]
    names = {job_name(job.rule, job.wildcards): job for job in unfinished}
    causes = {name: cause for name, job in names.items() if (cause := _cause(name, job.logs, began))}
    if causes and all("interrupted" in cause for cause in causes.values()):
        return f"CLEF: interrupted after {duration(time.time() - began)}; run the same command to resume."
    number = f"{len(causes)} job{'s' if len(causes) > 1 else ''} failed" if causes else "a job failed, see above"
    lines = [f"CLEF: {number}. Fix the cause, then run the same command to resume."]
    return "\n".join([*lines, *(f"  {name}: {cause}" for name, cause in causes.items())])


def _summarized(jobs: Iterable[PlannedJob]) -> list[str]:
    return sorted(job.wildcards["run"] for job in jobs if job.rule == "summarize")


def _cause(job: str, logs: Sequence[str], began: float) -> str | None:
    """Last line of a job in its log; None if the job has not been started."""
    for log in map(Path, logs):
        if log.exists() and log.stat().st_mtime >= began:
            line, own = last_line(log, job) or ("", False)
            return line if own else f"ended without a message, perhaps killed or out of memory (log: {log})"
    return None
