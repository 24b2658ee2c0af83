"""The subcommand that shows folds and their subjects."""

from typing import TYPE_CHECKING

from clef.cli.app import DATA, app
from clef.cli.find_run import run_params
from clef.cli.options import Run

if TYPE_CHECKING:
    from clef.manifest.folds import Fold


@app.command(rich_help_panel=DATA, epilog="Example: clef folds demo")
def folds(run: Run) -> None:
    """Show the folds of a run with their test subjects. Publications number the same folds differently."""
    from rich.console import Console
    from rich.table import Table

    from clef.datasets import open_dataset
    from clef.manifest.folds import make_folds, partition_of

    params = run_params(run)
    dataset = open_dataset(params)
    made = make_folds(dataset)
    partition = None if params.test is not None else partition_of(dataset)
    published = dataset.published_as.get(partition, []) if partition is not None else []
    protocol = f"{params.folds.protocol}{'' if partition is None else f', {partition}'}"
    table = Table(title=f"{run}: {'on ' + params.test.run if params.test is not None else protocol}")
    table.add_column("fold")
    table.add_column("trained on", justify="right")
    table.add_column("tested on")
    if published:
        table.add_column("published as")
    for fold, name in zip(made, published or [""] * len(made), strict=True):
        table.add_row(str(fold.number), *_sides(fold), *([name] if published else []))
    used = {subject for fold in made for subject in (*fold.train_subjects, *fold.test_subjects)}
    left_out = sorted(set(dataset.subjects()) - used)
    if used and left_out:
        table.caption = f"In no fold: {' '.join(left_out)}"
    Console().print(table)


def _sides(fold: "Fold") -> tuple[str, str]:
    """Describe the training and the test side."""
    if fold.number == "all":
        trained_on = str(len(fold.train_subjects)) if fold.train_subjects else "train split"
        return trained_on, "all subjects of the other data set"
    if fold.by_split:
        return "train split", "test split"
    return str(len(fold.train_subjects)), f"{len(fold.test_subjects)}: {' '.join(fold.test_subjects)}"
