"""The subcommand that tells how far a run is."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import RESULTS, app
from clef.cli.error_report import EXIT_ERROR, EXIT_INTERRUPTED
from clef.cli.find_run import run_params
from clef.cli.options import Run
from clef.errors import ClefError

if TYPE_CHECKING:
    from rich.console import Console

    from clef.params.schema import Params
    from clef.runs.state import State

REDRAW_SECONDS = 3.0


@app.command(
    rich_help_panel=RESULTS,
    epilog="Example: clef status demo --watch",
)
def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Draw anew until there is no more to come.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything about every job as JSON.")] = False,
) -> None:
    """Tell how far a run is, from its files alone: on any machine that sees the checkout.

    done; running, by a process that renews its lease; stopped, begun and nobody is at it; failed; waiting.

    Exit codes: 0 nothing failed; 1 a job has failed; 130 ended by ctrl-C.
    """
    from rich.console import Console

    from clef.runs.status_table import as_plain, format_status

    console = Console()
    if watch and (as_json or not console.is_terminal):
        raise ClefError("--watch: expected a terminal and no --json; leave it out")
    states = _states(run)
    if as_json:
        print(json.dumps(as_plain(run, states), indent=1))
    elif watch:
        states = _watch(run, states, console)
    else:
        console.print(format_status(run, states), highlight=False)
    if any(state.kind == "failed" for state in states):
        raise typer.Exit(EXIT_ERROR)


def _states(run: str) -> "list[State]":
    from clef.runs.jobs import jobs_of
    from clef.runs.load import named_runs
    from clef.runs.state import state_of

    runs: dict[str, Params] = {}
    named = [run]
    while named:
        name = named.pop()
        if name not in runs:
            runs[name] = run_params(name)
            named += named_runs(runs[name])
    return [state_of(job) for job in jobs_of(run, runs)]


def _watch(run: str, states: "list[State]", console: "Console") -> "list[State]":
    from rich.live import Live

    from clef.runs.status_table import format_status

    try:
        with Live(format_status(run, states), console=console, auto_refresh=False, vertical_overflow="visible") as live:
            while _more_to_come(states):
                time.sleep(REDRAW_SECONDS)
                states = _states(run)
                live.update(format_status(run, states), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return states


def _more_to_come(states: "list[State]") -> bool:
    """Whether to go on watching: not once all is done, nor once something has failed and nobody is at work any more."""
    from clef.runs.clean import workflow_at_work

    kinds = {state.kind for state in states}
    if kinds == {"done"}:
        return False
    return "failed" not in kinds or "running" in kinds or workflow_at_work(Path())
