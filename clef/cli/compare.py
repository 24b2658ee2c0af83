"""The subcommand that compares finished runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.cli.find_run import require_known, run_params
from clef.errors import ClefError

if TYPE_CHECKING:
    from clef.params.schema import Params


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef compare demo demo-no-pretrain demo-linear")
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(help="Names of two or more finished runs, or the paths of folders with their results."),
    ],
    metric: Annotated[str, typer.Option(help="f1, precision or recall.")] = "f1",
    csv: Annotated[Path | None, typer.Option(help="File to write the differences to.")] = None,
    html: Annotated[Path | None, typer.Option(help="Page to write the comparison to, with plots.")] = None,
    resamples: Annotated[int, typer.Option(help="Number of bootstrap resamples; 0 for no intervals.", min=0)] = 2000,
) -> None:
    """Compare runs with the first one: differences with intervals, and the settings that differ."""
    from rich.console import Console

    from clef.comparison.comparison_table import format_comparison, write_differences
    from clef.comparison.differences import compare as compare_runs
    from clef.comparison.finished_run import read_run
    from clef.comparison.setting_differences import differing_settings
    from clef.runtime.paths import RESULTS, results_folder

    if len(set(runs)) < 2 or len(set(runs)) < len(runs):
        raise ClefError(f"compare: {' '.join(runs)}: expected the names of two or more different runs")
    for name in runs:
        if "/" not in name and not results_folder(name).exists():
            require_known(name)
    finished = [read_run(name, RESULTS) for name in runs]
    comparison = compare_runs(finished, metric, resamples)
    console = Console()
    settings = differing_settings(finished, _params_of)
    for part in format_comparison(finished, comparison, settings, console.width):
        console.print(part)
    if csv is not None:
        write_differences(csv, comparison)
    if html is not None:
        from clef.reports.comparison_report import write_comparison

        write_comparison(html, finished, comparison, settings)


def _params_of(run: str) -> "Params | None":
    """Params of a run; None if its file is missing or invalid."""
    try:
        return run_params(run)
    except ClefError:
        return None
