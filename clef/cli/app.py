"""The command itself: its options, and how its subcommands are shown, named and ended."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from clef import __version__
from clef.cli.error_report import report
from clef.cli.find_run import settings
from clef.cli.terminal_and_log import output
from clef.runs.messages import job_name

STEPS = "Steps of the chain, in their order"
RESULTS = "Results"
DATA = "Params, data and disk"

Callback = TypeVar("Callback", bound=Callable[..., None])


class Command(TyperGroup):
    """The whole command."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise typer.Exit(report(stop, settings.debug)) from None


class Step(TyperCommand):
    """A step of the chain."""

    def invoke(self, ctx: Any) -> Any:
        """Run it under the name of its job, such as `pretrain demo seed 0 fold 1`."""
        if output.log is not None:
            output.job = job_name(ctx.info_name or "", ctx.params)
        return super().invoke(ctx)


app = typer.Typer(
    cls=Command,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Facial behaviour learnt from activities and text, in two stages.\n\n"
    "The workflow calls the steps, those that are still to do for params/demo.yaml:\n\n"
    "[bold]snakemake --cores 2 results/demo/summary.csv[/bold]\n\n"
    "With -n -p it prints the calls instead. CTRL-C is safe: the same command goes on.",
    epilog="Exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 75 stopped by itself, run it again; "
    "130 stopped by ctrl-C.",
)


def step(example: str, name: str | None = None) -> Callable[[Callback], Callback]:
    """Make a function a subcommand that is a step of the chain.

    Args:
        example: A call of it, shown by its `--help`.
        name: The subcommand, if it is not the function's name.
    """
    return app.command(name, cls=Step, rich_help_panel=STEPS, epilog=f"Example: {example}")


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    params: Annotated[Path, typer.Option(help="Folder of the params files.")] = Path("params"),
    log: Annotated[
        Path | None,
        typer.Option(help="File for all that is to be said; the terminal gets a line now and then.", metavar="FILE"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
) -> None:
    """Act on the options before the subcommand."""
    if version:
        print(f"clef {__version__}")
        raise typer.Exit
    settings.params_folder, settings.debug = params, debug
    output.open(log)


def main() -> None:
    """Run the command line: whatever stops it reaches the user as one line and an exit code."""
    try:
        app(prog_name="clef")
    except Exception as error:
        sys.exit(report(error, settings.debug))
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # as of `clef params demo | head -1`; what is left to say has no reader
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
