"""The subcommand that shows the progress of a run."""

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.cli.error_report import EXIT_ERROR, EXIT_INTERRUPTED
from clef.cli.find_run import settings
from clef.cli.options import Run
from clef.errors import ClefError

if TYPE_CHECKING:
    from rich.console import Console

    from clef.runs.state import State

REDRAW_SECONDS = 3.0


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef status demo --watch")
def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Redraw until the run has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every job as JSON.")] = False,
) -> None:
    """Show the state of every job of a run.

    The command only reads files, so it works on any machine that can access the checkout.

    States: done; running; stopped (started, but no process is working on it now); failed; waiting.

    Exit codes: 0 no job failed; 1 a job failed; 130 interrupted with ctrl-C.
    """
    from rich.console import Console

    from clef.runs.status_table import as_plain, format_status

    console = Console()
    if watch and (as_json or not console.is_terminal):
        raise ClefError("--watch: needs a terminal and no --json; leave it out")
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
    from clef.runs.related_runs import load_run
    from clef.runs.state import state_of

    return [state_of(job) for job in jobs_of(run, load_run(run, settings.params_folder))]


def _watch(run: str, states: "list[State]", console: "Console") -> "list[State]":
    """Redraw until all is done, or something has failed and neither a job nor Snakemake is running."""
    from rich.live import Live

    from clef.runs.clean import is_workflow_running
    from clef.runs.status_table import format_status

    try:
        with Live(format_status(run, states), console=console, auto_refresh=False, vertical_overflow="visible") as live:
            while (kinds := {state.kind for state in states}) != {"done"} and (
                "failed" not in kinds or "running" in kinds or is_workflow_running(Path())
            ):
                threading.Event().wait(REDRAW_SECONDS)
                states = _states(run)
                live.update(format_status(run, states), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return states
