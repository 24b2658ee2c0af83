"""States of a run's jobs, for the terminal and as plain data."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from clef.runs.jobs import TRAININGS
from clef.runs.state import State, StateName
from clef.runtime.paths import summary_file
from clef.runtime.progress import duration

COLOURS = {"done": "green", "running": "cyan", "stopped": "yellow", "failed": "red", "waiting": "dim"}
ORDER: tuple[StateName, ...] = ("failed", "running", "stopped", "waiting", "done")
FOLD_STEPS = (*TRAININGS, "evaluate")
MOST_NOTES = 8
"""Notes on single jobs; there may be hundreds of jobs."""


def counts(states: Sequence[State]) -> dict[str, int]:
    """Number of jobs by state; states without jobs are left out."""
    found = Counter(state.kind for state in states)
    return {kind: found[kind] for kind in ORDER if found[kind]}


def as_plain(run: str, states: Sequence[State]) -> dict[str, Any]:
    """The states for JSON."""
    steps = dict.fromkeys(state.job.step for state in states)
    return {
        "run": run,
        "counts": counts(states),
        "steps": {step: counts([state for state in states if state.job.step == step]) for step in steps},
        "mlflow": _run_link(states),
        "jobs": [state.plain() for state in states],
    }


def format_status(run: str, states: Sequence[State]) -> Group:
    """A line per step before training, a row per seed and fold, and notes on jobs that fail, stopped or run."""
    lines = [Text.assemble((run, "bold"), ": ", *_counted(states, " jobs"))]
    steps: dict[tuple[str, str], list[State]] = {}
    for state in states[:-1]:
        if state.job.step not in FOLD_STEPS:
            steps.setdefault((state.job.step, state.job.owner), []).append(state)
    for (step, owner), own in steps.items():
        lines.append(Text.assemble(f"  {step} {owner}  ", *_counted(own, " shards" if step == "crop" else "")))
    summary = Text.assemble("  summarize  ", *_counted(states[-1:], ""))
    return Group(*lines, _fold_table(states), summary, *_notes(run, states))


def _notes(run: str, states: Sequence[State]) -> list[Text]:
    noted = [state for kind in ("failed", "running", "stopped") for state in states if state.kind == kind]
    notes = [_note(state) for state in noted[:MOST_NOTES]]
    if len(noted) > MOST_NOTES:
        notes.append(Text(f"  and {len(noted) - MOST_NOTES} more; --json lists all"))
    cluster = any(state.slurm_job for state in states)
    where = "--profile workflow/profiles/slurm" if cluster else f"--cores {os.cpu_count()}"
    command = f"snakemake {where} {summary_file(run)}"
    if any(state.kind == "stopped" for state in noted):
        notes.append(Text(f"  no process works on stopped jobs; resume with: {command}"))
    elif any(state.kind == "failed" for state in noted):
        notes.append(Text(f"  fix the cause, then run: {command}"))
    if link := _run_link(states):
        notes.append(Text(f"  MLflow  {link}", overflow="fold"))
    return notes


def _fold_table(states: Sequence[State]) -> Table:
    folds: dict[tuple[int | None, str], dict[str, State]] = {}
    for state in states:
        if state.job.step in FOLD_STEPS:
            folds.setdefault((state.job.seed, str(state.job.fold)), {})[state.job.step] = state
    steps = [step for step in FOLD_STEPS if any(step in own for own in folds.values())]
    table = Table("seed", "fold", *steps, box=None, padding=(0, 2), header_style="bold")
    for (seed, fold), own in folds.items():
        table.add_row(str(seed), fold, *(_cell(own[step]) if step in own else Text("") for step in steps))
    return table


def _cell(state: State) -> Text:
    text = Text(state.kind, COLOURS[state.kind])
    if state.link:
        text.stylize(f"link {state.link}")
    if state.kind != "done" and state.steps is not None:
        text.append(f" step {state.step or 0} of {state.steps}", "default")
    return text


def _note(state: State) -> Text:
    """Return a line such as `running  finetune demo seed 0 fold 1: loss 1.23, 410 images/s, 24 s left; on node7`."""
    text = state.last_line or ""
    if state.kind == "running":
        pace = [f"loss {state.loss:.3f}"] if state.loss is not None else []
        pace += [f"{state.images_per_second:.0f} images/s"] if state.images_per_second is not None else []
        pace += [f"{duration(state.seconds_left)} left"] if state.seconds_left is not None else []
        job = f", SLURM job {state.slurm_job}" if state.slurm_job else ""
        refreshed = f"on {state.host}{job}, lease renewed {duration(state.heartbeat_age or 0)} ago"
        text = "; ".join(part for part in (", ".join(pace) or text, refreshed) if part)
    elif text and str(state.job.log) not in text:
        text += f" (log: {state.job.log})"
    about = f"{state.job.name}: {text}" if text else state.job.name
    return Text.assemble("  ", (state.kind, COLOURS[state.kind]), f"  {about}")


def _counted(states: Sequence[State], unit: str) -> list[tuple[str, str] | str]:
    """Return a summary such as `3 failed, 20 done of 32 jobs`, or only the state if there is one job."""
    if len(states) == 1:
        return [(states[0].kind, COLOURS[states[0].kind])]
    parts: list[tuple[str, str] | str] = []
    for kind, number in counts(states).items():
        parts += [", "] if parts else []
        parts.append((f"{number} {kind}", COLOURS[kind]))
    return [*parts, f" of {len(states)}{unit}"]


def _run_link(states: Sequence[State]) -> str | None:
    return next((state.run_link for state in reversed(states) if state.run_link), None)
