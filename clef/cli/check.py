"""The subcommand that checks a copy of a data set."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import DATA, Step, app
from clef.cli.find_run import dataset_params
from clef.cli.options import DatasetName
from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.ingest.check.report import Report

WIDTH = 120


@app.command(cls=Step, rich_help_panel=DATA, epilog="Example: clef check demo")
def check(
    dataset: DatasetName,
    raw: Annotated[Path | None, typer.Option(help="Folder of the raw data; data/raw/DATASET without.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it for a machine.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write instead of printing, if the copy is usable.")] = None,
) -> None:
    """Say what of a data set was found and what was expected: a table, and a verdict. Quick also on terabytes.

    Exit code 1 where something would stop the workflow. What differs from published counts is marked and does not.
    """
    from clef.datasets import open_dataset
    from clef.ingest.check.check import check as run_check
    from clef.runtime.lease import leased
    from clef.runtime.paths import raw_folder
    from clef.runtime.progress import progress

    adapter = open_dataset(dataset_params(dataset))
    with nullcontext() if out is None else leased(out):
        with progress("recording") as tell:
            report = run_check(adapter, raw or raw_folder(dataset), tell)
        _tell(report, json, out)
    if not report.usable:
        raise typer.Exit(1)


def _tell(report: "Report", json: bool, out: Path | None) -> None:
    import io
    from shutil import get_terminal_size

    from rich.console import Console
    from rich.text import Text

    from clef.ingest.check.check_table import format_report
    from clef.runtime.files import write_text
    from clef.runtime.progress import notice

    if json:
        from json import dumps

        print(dumps(report.as_dict(), indent=1))
        return
    text = io.StringIO()
    shown = out is None and sys.stdout.isatty()
    console = Console(file=text, width=get_terminal_size().columns if shown else WIDTH)
    for part in format_report(report):
        console.print(part, soft_wrap=isinstance(part, Text))  # a line stays one for whoever searches for it
    if out is None:
        print(text.getvalue(), end="")
    elif report.usable:
        write_text(out, text.getvalue())
        notice("%s", report.verdict)
    else:
        print(text.getvalue(), end="", file=sys.stderr)
        raise ClefError(report.verdict)
