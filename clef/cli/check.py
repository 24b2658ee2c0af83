"""The subcommand that checks a copy of a data set."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, JobCommand, app
from clef.cli.find_run import dataset_params


@app.command(cls=JobCommand, rich_help_panel=DATA, epilog="Example: clef check demo")
def check(
    name: Annotated[str, typer.Argument(help="Name of a data set, or of a run.")],
    raw: Annotated[Path | None, typer.Option(help="Folder of the raw data; by default data/raw/DATASET.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Check a raw copy against what its data set should contain, in seconds even for terabytes.

    The exit code is 1 if something would stop the workflow. Differences from published counts are only marked.
    """
    from json import dumps
    from shutil import get_terminal_size

    from clef.datasets import open_dataset
    from clef.ingest.inventory import take_inventory
    from clef.ingest.report_text import WIDTH, report_text
    from clef.runtime.files import write_text
    from clef.runtime.paths import raw_folder
    from clef.runtime.progress import notice, progress

    dataset = open_dataset(dataset_params(name))
    with progress("recording") as report_progress:
        report = take_inventory(dataset, raw or raw_folder(dataset.name), False, report_progress).report
    if json:
        text = dumps(report.as_dict(), indent=1) + "\n"
    else:
        width = get_terminal_size().columns if out is None and sys.stdout.isatty() else WIDTH
        text = report_text(report, width)
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        notice("%s", report.verdict)
    if not report.usable:
        raise typer.Exit(1)
