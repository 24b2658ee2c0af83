"""What the workflow says at its start and at its end, and how its jobs are named."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clef.runtime.progress import duration


def job_name(step: str, arguments: Mapping[str, Any]) -> str:
    """What tells a job from the others of its step, such as `pretrain demo seed 0 fold 1`.

    Args:
        step: The subcommand, or the rule.
        arguments: Arguments of the subcommand, or wildcards of the rule.
    """
    step = step.replace("_", "-")
    names = [arguments[key] for key in ("run", "dataset", "shard", "file") if arguments.get(key)]
    names += [Path(arguments["to"]).name] if arguments.get("to") else []
    numbers = [f"{key} {arguments[key]}" for key in ("seed", "fold") if arguments.get(key) is not None]
    inner = ["inner"] if arguments.get("inner") is True or step.endswith("-inner") else []
    return " ".join([step.removesuffix("-inner"), *names, *numbers, *inner])


def started(runs: Sequence[str], jobs: int, cores: int | None, devices: Sequence[str], disks: Sequence[str]) -> str:
    """The banner: what will be made, with what, and where to look.

    Args:
        runs: Names of the runs that will be summarised; empty if only earlier steps were asked for.
        jobs: Number of jobs to do.
        cores: Cores given; None under a cluster executor.
        devices: What the trainings among the jobs run on.
        disks: A line a disk, of what is needed and free.
    """
    lines = [f"CLEF: {', '.join(f'results/{run}/summary.csv' for run in runs) or 'the files asked for'}"]
    where = f", on {cores} {'core' if cores == 1 else 'cores'}" if cores else ""
    lines.append(f"  jobs    {jobs}{where}")
    if devices:
        lines.append(f"  device  {', '.join(devices)}, for training")
    lines += [f"  disk    {disk}" for disk in disks]
    lines.append("  logs    beside each result: results/RUN/seed*/fold*/*.log, data/interim/*/*.log")
    lines.append("  ctrl-C is safe: the same command goes on where it was stopped.")
    return "\n".join(lines)


def orphans_ended(numbers: Sequence[str]) -> str:
    """Which jobs of a Snakemake that is no more were taken out of the queue."""
    jobs = f"job{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
    return f"CLEF: an earlier Snakemake had left SLURM {jobs} in the queue; ended, and going on from what was saved."


def finished(runs: Sequence[str], seconds: float) -> str:
    """The farewell: how long it took, and what to type next."""
    next_commands = {"make ui": "curves and figures of all runs in the browser"}
    if len(runs) == 1:
        next_commands = {
            f"clef show {runs[0]}": f"the table again; its files are in results/{runs[0]}/"
        } | next_commands
    elif runs:
        next_commands = {f"clef compare {' '.join(runs)}": "the runs beside each other"} | next_commands
    width = max(map(len, next_commands))
    return "\n".join(
        [f"CLEF: done in {duration(seconds)}. Next:"]
        + [f"  {command:{width}}  {what}" for command, what in next_commands.items()]
    )


def failed(jobs: Mapping[str, Sequence[str]], seconds: float) -> str:
    """What went wrong: one line a failed job, with its cause and its log.

    Args:
        jobs: The logs of each failed job, by name.
        seconds: Since the start.
    """
    causes = {job: _last_words(job, logs) for job, logs in jobs.items()}
    if all("stopped by ctrl-C" in cause for cause in causes.values()):
        return f"CLEF: stopped after {duration(seconds)}; the same command goes on where it was."
    lines = [
        f"CLEF: {len(jobs)} job{'s' if len(jobs) > 1 else ''} failed. Mend the cause, then the same command goes on."
    ]
    lines += [f"  {job}: {cause}" for job, cause in causes.items()]
    return "\n".join(lines)


def _last_words(job: str, logs: Sequence[str]) -> str:
    """What a job said of its own end."""
    for log in map(Path, logs):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        own = [line for line in lines[-20:] if line.startswith(f"{job}: ")]
        if own:
            return own[-1].removeprefix(f"{job}: ")
    return f"ended without a word, as when it is killed or out of memory (log: {', '.join(logs)})"
