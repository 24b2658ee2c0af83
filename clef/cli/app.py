"""The command itself: its options, its log, and how an error reaches the user."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from clef import __version__
from clef.cli.lookup import settings
from clef.errors import ClefError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Facial behaviour learnt from activities and text, in two stages.

    The steps below are what the workflow runs, in this order: render-demo (demo sets only), ingest, crop, manifest,
    pretrain, finetune, evaluate, summarize. Usually one types `snakemake --cores 2 results/demo/summary.csv` instead.
    """,
)


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    params: Annotated[Path, typer.Option(help="Folder of the params files.")] = Path("params"),
    debug: Annotated[bool, typer.Option(help="Show the whole traceback of an error.")] = False,
) -> None:
    """Act on the options before the subcommand."""
    if version:
        print(f"clef {__version__}")
        raise typer.Exit
    settings.params_folder, settings.debug = params, debug
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("clef").setLevel(logging.INFO)


def main() -> None:
    """Run the command line: an error that the user can mend is one line and exit code 1."""
    try:
        app()
    except ClefError as error:
        if settings.debug:
            raise
        print(f"clef: error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
