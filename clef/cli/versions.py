"""The subcommand that versions raw data."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import DATA, app
from clef.cli.find_run import dataset_params
from clef.cli.options import DatasetName
from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.datasets.base import Dataset

log = logging.getLogger(__name__)


@app.command("version-data", rich_help_panel=DATA, epilog="Example: clef version-data bp4d --push")
def version_data(
    dataset: DatasetName,
    push: Annotated[bool, typer.Option("--push", help="Also send the files to the default remote.")] = False,
    remote: Annotated[str | None, typer.Option(help="Also send the files to this remote.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send licensed recordings off this machine without asking.")
    ] = False,
) -> None:
    """Record a version of the raw files of a data set, as one DVC pointer in data/raw per shard.

    The pointers are small text files to commit to git; see docs/data-versions.md.
    """
    from clef.datasets import open_dataset
    from clef.ingest.versions.dvc import is_local, open_repository, remote_address
    from clef.ingest.versions.dvc import push as run_push
    from clef.ingest.versions.dvc import version_data as run_version_data
    from clef.ingest.versions.pointers import existing_pointers
    from clef.runtime.paths import raw_folder, sequences_file
    from clef.runtime.progress import progress

    adapter = open_dataset(dataset_params(dataset))
    root = raw_folder(dataset)
    repository = open_repository(Path.cwd())
    target = remote_address(repository, remote) if push or remote else None
    if target is not None and not is_local(target[1]) and not yes:
        _ask_for_consent(adapter, *target)
    first = not existing_pointers(adapter, root)
    with progress("pointer") as report_progress:
        changed = run_version_data(repository, adapter, root, report_progress)
    pointers = existing_pointers(adapter, root)
    log.info("%s: %d pointers, %d of them new or changed", root, len(pointers), len(changed))
    if changed:
        log.info("next: git add %s/*.dvc && git commit -m 'Version of %s'", root, dataset)
    if first and sequences_file(dataset).exists():
        log.info("and for every run made from these files: snakemake --touch --cores 1 results/RUN/summary.csv")
    if target is not None:
        with progress("pointer sent") as report_progress:
            files = run_push(repository, pointers, target[0], report_progress)
        log.info("%d files sent to %s (%s)", files, *target)


def _ask_for_consent(dataset: "Dataset", remote: str, address: str) -> None:
    """Ask before licensed recordings leave this machine. Rendered data needs no consent."""
    if dataset.completion_marker() is not None:
        return
    what = f"{dataset.name} is not made by this project, and its licence may forbid sending it to {address} ({remote})"
    if not sys.stdin.isatty():
        raise ClefError(f"{what}; if it is allowed, give --yes")
    if not typer.confirm(f"{what}. Send it?", default=False, err=True):
        raise ClefError("nothing was sent")
