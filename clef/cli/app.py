"""The command `clef`: its options, the panels of its help, and its exit codes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from clef import __version__
from clef.cli.error_report import report_error
from clef.cli.find_run import settings
from clef.cli.terminal_and_log import output
from clef.runs.messages import job_name
from clef.runtime.encoding import require_utf8

STEPS_PANEL = "Steps of the workflow, in order"
RESULTS_PANEL = "Results"
DATA_PANEL = "Params, data and disk"

Callback = Callable[..., None]


class ClefGroup(TyperGroup):
    """Report ctrl-C in one line; typer would only print "Aborted!"."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(report_error(interrupt, settings.debug)) from None


class JobCommand(TyperCommand):
    """Begin messages with the name of the job, such as `pretrain demo seed 0 fold 1`."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        if output.log is not None:
            output.job = job_name(ctx.info_name or "", ctx.params)
        return super().invoke(ctx)


app = typer.Typer(
    cls=ClefGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learn facial behaviour from activities and text, in two stages.\n\n"
    "The workflow runs the steps whose outputs are missing or out of date. For params/demo.yaml, for example:\n\n"
    "[bold]snakemake --cores 2 results/demo/summary.csv[/bold]\n\n"
    "With -n -p, it only prints the commands. After ctrl-C, run the same command to resume.",
    epilog="Exit codes: 0 success; 1 error; 2 wrong usage; 75 stopped early, run the same command again; "
    "130 interrupted with ctrl-C.",
)


def step(example: str) -> Callable[[Callback], Callback]:
    """Make a function a subcommand that is a step of the workflow. `--help` shows the example."""
    return app.command(cls=JobCommand, rich_help_panel=STEPS_PANEL, epilog=f"Example: {example}")


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    params: Annotated[Path, typer.Option(help="Folder of the params files.")] = Path("params"),
    log: Annotated[
        Path | None,
        typer.Option(help="Write all messages to this file, and only the main ones to the terminal.", metavar="FILE"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Apply the options before the subcommand."""
    if version:
        print(f"clef {__version__}")
        raise typer.Exit
    require_utf8()
    settings.params_folder, settings.debug = params, debug
    output.open(log)


def main() -> None:
    """Run the command line and report errors."""
    try:
        app(prog_name="clef")
    except Exception as error:
        sys.exit(report_error(error, settings.debug))
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # as in `clef params demo | head -1`; discard the rest of the output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
