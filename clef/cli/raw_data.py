"""Subcommands that check, version and imitate raw data."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA_PANEL, JobCommand, app
from clef.cli.find_run import find_dataset
from clef.cli.options import DatasetName
from clef.errors import ClefError
from clef.runtime.files import write_text
from clef.runtime.paths import raw_folder, sequences_file
from clef.runtime.progress import notice, progress

log = logging.getLogger(__name__)


@app.command("version-data", rich_help_panel=DATA_PANEL, epilog="Example: clef version-data bp4d --push")
def version_data(
    dataset: DatasetName,
    push: Annotated[bool, typer.Option("--push", help="Also send the files to the default remote.")] = False,
    remote: Annotated[str | None, typer.Option(help="Also send the files to this remote.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send licensed recordings to another machine without asking.")
    ] = False,
) -> None:
    """Record a version of the raw files of a data set, as one DVC pointer in data/raw per shard.

    The pointers are small text files to commit to git; see docs/data-versions.md.
    """
    from clef.ingest.versions import dvc
    from clef.ingest.versions.pointers import existing_pointers

    adapter = find_dataset(dataset)
    root = raw_folder(dataset)
    repository = dvc.open_repository(Path.cwd())
    name, address = dvc.remote_address(repository, remote) if push or remote else (None, "")
    if name is not None and not (dvc.is_local(address) or adapter.completion_marker() is not None or yes):
        what = f"{dataset} is not made by this project, and its licence may forbid sending it to {address} ({name})"
        if not sys.stdin.isatty():
            raise ClefError(f"{what}; if it is allowed, give --yes")
        if not typer.confirm(f"{what}. Send it?", default=False, err=True):
            raise ClefError("nothing was sent")
    first = not existing_pointers(adapter, root)
    with progress("pointer") as report_progress:
        changed = dvc.version_data(repository, adapter, root, report_progress)
    pointers = existing_pointers(adapter, root)
    log.info("%s: %d pointers, %d of them new or changed", root, len(pointers), len(changed))
    if changed:
        log.info("next: git add %s/*.dvc && git commit -m 'Version of %s'", root, dataset)
    if first and sequences_file(dataset).exists():
        log.info("and for every run made from these files: snakemake --touch --cores 1 results/RUN/summary.csv")
    if name is not None:
        with progress("pointer sent") as report_progress:
            files = dvc.push(repository, pointers, name, report_progress)
        log.info("%d files sent to %s (%s)", files, name, address)


@app.command(cls=JobCommand, rich_help_panel=DATA_PANEL, epilog="Example: clef check demo")
def check(
    name: Annotated[str, typer.Argument(help="Name of a data set or a run.")],
    raw: Annotated[Path | None, typer.Option(help="Folder of the raw data; by default data/raw/DATASET.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Check a raw copy against the expected contents of its data set. This takes seconds, even for terabytes.

    The exit code is 1 if something would stop the workflow.
    Differences from published counts are marked but do not change the exit code.
    """
    from json import dumps
    from shutil import get_terminal_size

    from clef.ingest.inventory import take_inventory
    from clef.ingest.report_text import report_text

    dataset = find_dataset(name)
    with progress("recording") as report_progress:
        report = take_inventory(dataset, raw or raw_folder(dataset.name), False, report_progress).report
    columns = get_terminal_size().columns if out is None and sys.stdout.isatty() else 120
    text = dumps(report.as_dict(), indent=1) + "\n" if json else report_text(report, columns)
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        notice("%s", report.verdict)
    if not report.usable:
        raise typer.Exit(1)


@app.command(
    rich_help_panel=DATA_PANEL, epilog="Example: clef fixture bp4d --to data/raw/bp4d --subject F001 --subject M001"
)
def fixture(
    dataset: Annotated[str, typer.Argument(help="Name of an adapter, such as bp4d.")],
    to: Annotated[Path, typer.Option(help="Folder to create.", metavar="DIR")],
    packaging: Annotated[str | None, typer.Option(help="Packaging; by default the first one of the data set.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Subject to include; by default all.")] = None,
    frames: Annotated[int, typer.Option(help="Frames per recording, or images per class.", min=4, max=1000)] = 6,
    pixels: Annotated[int, typer.Option(help="Height and width, a multiple of 16.", min=64, max=1024)] = 128,
) -> None:
    """Write a small imitation of a licensed data set, in its format but with rendered faces, to try the workflow."""
    from clef.fixtures import write_fixture
    from clef.fixtures.size import FixtureSize

    written = write_fixture(dataset, packaging, to, FixtureSize(tuple(subject) if subject else None, frames, pixels))
    notice("%s: %s, packaging %s", to, dataset, written)
