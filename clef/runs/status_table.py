"""States of a run's jobs for the terminal and as plain data."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from clef.runs.state import Kind, State
from clef.runtime.progress import duration

COLOURS = {"done": "green", "running": "cyan", "stopped": "yellow", "failed": "red", "waiting": "dim"}
ORDER: tuple[Kind, ...] = ("failed", "running", "stopped", "waiting", "done")
PROFILE = "--profile workflow/profiles/slurm"
BY_FOLD = ("pretrain", "finetune", "inner", "evaluate")
MOST_TOLD = 8
"""Lines about jobs that failed, stopped or run before training, of which there can be hundreds."""


def counts(states: Sequence[State]) -> dict[str, int]:
    """How many jobs are in each state that some are in."""
    found = Counter(state.kind for state in states)
    return {kind: found[kind] for kind in ORDER if found[kind]}


def as_plain(run: str, states: Sequence[State]) -> dict[str, Any]:
    """The states as JSON has them."""
    steps = {
        step: counts([state for state in states if state.job.step == step])
        for step in dict.fromkeys(state.job.step for state in states)
    }
    return {
        "run": run,
        "counts": counts(states),
        "steps": steps,
        "mlflow": _run_link(states),
        "jobs": [state.plain() for state in states],
    }


def format_status(run: str, states: Sequence[State]) -> Group:
    """A line a step of the chain, a row a seed and fold, and what the jobs said that do not go on by themselves."""
    lines = [Text.assemble((run, "bold"), ": ", *_counted(states, "jobs"))]
    steps = dict.fromkeys((state.job.step, state.job.owner) for state in states if state.job.step not in BY_FOLD)
    for step, of in steps:
        if step != "summarize":
            own = [state for state in states if (state.job.step, state.job.owner) == (step, of)]
            lines.append(Text.assemble(f"  {step} {of}  ", *_counted(own, "shards" if step == "crop" else "")))
    told = [state for state in states if _is_told(state)]
    told.sort(key=lambda state: ORDER.index(state.kind))
    notes = [_note(state) for state in told[:MOST_TOLD]]
    if len(told) > MOST_TOLD:
        notes.append(Text(f"  and {len(told) - MOST_TOLD} more; --json has all"))
    link = _run_link(states)
    last = Text.assemble("  summarize  ", *_counted(states[-1:], ""))
    if any(state.kind == "stopped" for state in states):
        notes.append(Text(f"  nobody is at work on what is stopped; it goes on with: {_command(run, states)}"))
    elif any(state.kind == "failed" for state in states):
        notes.append(Text(f"  when that is mended: {_command(run, states)}"))
    return Group(*lines, _folds(states), last, *notes, *([Text(f"  MLflow  {link}", overflow="fold")] if link else []))


def _command(run: str, states: Sequence[State]) -> str:
    """What to type for the run to go on: where it ran on a cluster, there."""
    where = PROFILE if any(state.slurm_job for state in states) else f"--cores {os.cpu_count()}"
    return f"snakemake {where} results/{run}/summary.csv"


def _folds(states: Sequence[State]) -> Table:
    by_fold: dict[tuple[int | None, str], dict[str, State]] = {}
    stages = [stage for stage in BY_FOLD if any(state.job.step == stage for state in states)]
    for state in states:
        if state.job.step in stages:
            by_fold.setdefault((state.job.seed, str(state.job.fold)), {})[state.job.step] = state
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in ("seed", "fold", *stages):
        table.add_column(name)
    for (seed, fold), own in by_fold.items():
        table.add_row(str(seed), fold, *(_cell(own[stage]) if stage in own else Text("") for stage in stages))
    return table


def _cell(state: State) -> Text:
    text = Text(state.kind, COLOURS[state.kind])
    if state.link:
        text.stylize(f"link {state.link}")
    if state.kind != "done" and state.steps is not None:
        text.append(f" step {state.step or 0} of {state.steps}", "default")
    return text


def _pace(state: State) -> str:
    """How a training at work does, such as `loss 1.234, 410 images/s, 2 min 05 s left`."""
    parts = [f"loss {state.loss:.3f}"] if state.loss is not None else []
    parts += [f"{state.images_per_second:.0f} images/s"] if state.images_per_second is not None else []
    parts += [f"{duration(state.seconds_left)} left"] if state.seconds_left is not None else []
    return ", ".join(parts)


def _is_told(state: State) -> bool:
    """Whether more is to be said of a job than its state."""
    return state.kind in ("failed", "stopped", "running")


def _note(state: State) -> Text:
    said = f": {state.last_line}" if state.last_line else ""
    if state.kind == "running":
        job = f", SLURM job {state.slurm_job}" if state.slurm_job else ""
        pace = _pace(state)
        said = f": {pace}" if pace else said
        said += f"; on {state.host}{job}, lease renewed {duration(state.heartbeat_age or 0)} ago"
    elif state.last_line and str(state.job.log) not in state.last_line:
        said += f" (log: {state.job.log})"
    return Text.assemble("  ", (state.kind, COLOURS[state.kind]), f"  {state.job.name}{said}")


def _counted(states: Sequence[State], what: str) -> list[tuple[str, str] | str]:
    """Such as `3 failed, 20 done of 32 jobs`; the state alone where there is one job."""
    found = counts(states)
    if len(states) == 1:
        return [(states[0].kind, COLOURS[states[0].kind])]
    parts: list[tuple[str, str] | str] = []
    for kind, number in found.items():
        parts += [", "] if parts else []
        parts.append((f"{number} {kind}", COLOURS[kind]))
    return [*parts, f" of {len(states)}{f' {what}' if what else ''}"]


def _run_link(states: Sequence[State]) -> str | None:
    return next((state.run_link for state in reversed(states) if state.run_link), None)
