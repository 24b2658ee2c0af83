"""The subcommand that frees disk space."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, app
from clef.cli.find_run import settings
from clef.errors import ClefError


@app.command(rich_help_panel=DATA, epilog="Example: clef clean --dry-run")
def clean(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Only what belongs to these runs or their data sets; all without.")
    ] = None,
    results: Annotated[
        bool, typer.Option("--results", help="Also the results of runs whose params file is gone.")
    ] = False,
    stage1: Annotated[
        bool,
        typer.Option("--stage1", help="Also the stage 1 weights of finished runs; a changed stage 2 needs them again."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="List, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """List what nothing needs any more, with sizes, and remove it if you say so. Never touches data/raw.

    That is: what interrupted jobs left, and crops and manifests of settings that no params file uses any more.
    """
    from clef.params.suggestion import suggestion
    from clef.runs import clean as cleaning
    from clef.runs.load import load_runs
    from clef.runtime.disk_space import readable
    from clef.runtime.paths import INTERIM, PROCESSED, results_folder

    root, known = Path(), load_runs(settings.params_folder)
    lost = {path.name: path for path in cleaning.lost(root, known)}
    unknown = [run for run in runs or [] if run not in known and run not in lost]
    if unknown:
        raise ClefError(
            f"{settings.params_folder}: no run {unknown[0]}; {suggestion(unknown[0], [*known, *lost], 'a params file')}"
        )
    found = cleaning.leftovers(root, known, lost_results=results, stage1_weights=stage1)
    if runs:
        folders = {results_folder(run) for run in runs}
        for dataset in {known[run].dataset.name for run in runs if run in known}:
            folders |= {INTERIM / dataset, PROCESSED / dataset}
        found = [item for item in found if folders & {item.path, *item.path.parents}]
    for item in found:
        print(f"{readable(item.size):>10}  {item.path}  ({item.why})")
    if lost and not results:
        print(f"Left alone: results without params file, {', '.join(sorted(lost))}; --results takes them too")
    if not found:
        print("Nothing to remove")
        return
    total = readable(sum(item.size for item in found))
    if dry_run:
        print(f"{total} could go; nothing was removed (--dry-run)")
        return
    cleaning.require_no_workflow(root)
    if not yes:
        if not sys.stdin.isatty():
            raise ClefError("no terminal to ask on; say --yes to remove these, or --dry-run only to list them")
        if not typer.confirm(f"Remove these, {total}?"):
            print("Nothing was removed")
            return
    for item in found:
        cleaning.remove(root, item)
    print(f"{total} removed")
