"""The subcommand that frees disk space."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA_PANEL, app
from clef.cli.find_run import settings
from clef.errors import ClefError


@app.command(rich_help_panel=DATA_PANEL, epilog="Example: clef clean --dry-run")
def clean(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Only files of these runs and their data sets; all if none is given.")
    ] = None,
    results: Annotated[
        bool, typer.Option("--results", help="Include results of runs whose params file is missing.")
    ] = False,
    stage1: Annotated[
        bool,
        typer.Option("--stage1", help="Include stage 1 weights of finished runs; rerunning stage 2 needs them."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only list the files; remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """List files that are no longer needed, with their sizes, and remove them after asking.

    These are leftovers of interrupted jobs, and crops and manifests for settings that no params file uses.
    The command never touches data/raw.
    """
    from rich.filesize import decimal

    from clef.params.did_you_mean import suggestion
    from clef.runs import clean as cleaning
    from clef.runs.load import load_all
    from clef.runtime.paths import INTERIM, PROCESSED, results_folder

    root = Path()
    known, broken = load_all(settings.params_folder)
    orphaned = [path.name for path in cleaning.find_orphaned_results(root, [*known, *broken])]
    for run in runs or []:
        if run in broken:
            raise broken[run]
        if run not in known and run not in orphaned:
            hint = suggestion(run, [*known, *orphaned], "a params file")
            raise ClefError(f"{settings.params_folder}: no run {run}; {hint}")
    if broken:
        cause = next(iter(broken.values()))
        print(f"Kept all crops, manifests and stage 1 weights, since a params file has a mistake: {cause}")
    found = cleaning.leftovers(root, known, broken, orphaned_results=results, stage1_weights=stage1)
    if runs:
        folders = {results_folder(run) for run in runs}
        for dataset in {known[run].dataset.name for run in runs if run in known}:
            folders |= {INTERIM / dataset, PROCESSED / dataset}
        found = [item for item in found if folders & {item.path, *item.path.parents}]
    for item in found:
        print(f"{decimal(item.size):>10}  {item.path}  ({item.reason})")
    if orphaned and not results:
        print(f"Kept results without params file: {', '.join(orphaned)}; --results removes them too")
    if not found:
        print("Nothing to remove")
        return
    total = decimal(sum(item.size for item in found))
    if dry_run:
        print(f"{total} can be removed; nothing was removed (--dry-run)")
        return
    cleaning.require_no_workflow(root)
    if not yes:
        if not sys.stdin.isatty():
            raise ClefError("no terminal to ask on; use --yes to remove these, or --dry-run to list them")
        if not typer.confirm(f"Remove these, {total}?"):
            print("Nothing was removed")
            return
    for item in found:
        cleaning.remove(root, item.path)
    print(f"{total} removed")
