"""Subcommands that show the params and the folds of a run, and explain the keys of params files."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import DATA_PANEL, app
from clef.cli.find_run import run_params
from clef.cli.options import Run

if TYPE_CHECKING:
    from clef.manifest.folds import Fold


@app.command(rich_help_panel=DATA_PANEL, epilog="Example: clef params demo")
def params(run: Run) -> None:
    """Print the params of a run, including all defaults."""
    import yaml

    resolved = run_params(run)
    print(f"# crops: {resolved.crop_digest}")
    print(yaml.safe_dump(resolved.model_dump(mode="json", by_alias=True), sort_keys=False), end="")


@app.command(rich_help_panel=DATA_PANEL, epilog="Example: clef explain finetune.head")
def explain(
    key: Annotated[str, typer.Argument(help="A key or a section, such as `finetune.head` or `crop`.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as in docs/params.md.")] = False,
) -> None:
    """Explain the keys of a params file, with their values and defaults."""
    from clef.runs.params_reference import as_markdown, as_text, explain

    text = as_markdown(explain(key)) if markdown else as_text(explain(key))
    print(text.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding), end="")  # not all locales have ≥


@app.command(rich_help_panel=DATA_PANEL, epilog="Example: clef folds demo")
def folds(run: Run) -> None:
    """Show the folds of a run with their test subjects. Publications may number the same folds differently."""
    from rich.console import Console
    from rich.table import Table

    from clef.datasets import open_dataset
    from clef.manifest.folds import make_folds, partition_of

    params = run_params(run)
    dataset = open_dataset(params)
    made = make_folds(dataset)
    partition = partition_of(dataset) if params.test is None else None
    published = dataset.published_as.get(partition, []) if partition is not None else []
    tested = f"{params.folds.protocol}{'' if partition is None else f', {partition}'}"
    table = Table(title=f"{run}: {tested if params.test is None else f'on {params.test.run}'}")
    table.add_column("fold")
    table.add_column("trained on", justify="right")
    table.add_column("tested on")
    if published:
        table.add_column("published as")
    for fold, *name in zip(made, *([published] if published else []), strict=True):
        table.add_row(str(fold.number), *_sides(fold), *name)
    used = {subject for fold in made for subject in (*fold.train_subjects, *fold.test_subjects)}
    left_out = sorted(set(dataset.subjects()) - used)
    if used and left_out:
        table.caption = f"In no fold: {' '.join(left_out)}"
    Console().print(table)


def _sides(fold: "Fold") -> tuple[str, str]:
    """Describe the training and the test side."""
    trained_on = str(len(fold.train_subjects)) if fold.train_subjects else "train split"
    if fold.number == "all":
        return trained_on, "all subjects of the other data set"
    if fold.by_split:
        return "train split", "test split"
    return trained_on, f"{len(fold.test_subjects)}: {' '.join(fold.test_subjects)}"
