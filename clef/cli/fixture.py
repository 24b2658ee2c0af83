"""The subcommand that writes a fixture of a licensed data set."""

from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, app


@app.command(rich_help_panel=DATA, epilog="Example: clef fixture bp4d --to data/raw/bp4d --subject F001 --subject M001")
def fixture(
    dataset: Annotated[str, typer.Argument(help="Name of an adapter, such as bp4d.")],
    to: Annotated[Path, typer.Option(help="Folder to create.", metavar="DIR")],
    packaging: Annotated[str | None, typer.Option(help="Packaging; by default the first one of the data set.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Subject to include; by default all.")] = None,
    frames: Annotated[int, typer.Option(help="Frames per recording, or images per class.", min=4, max=1000)] = 6,
    pixels: Annotated[int, typer.Option(help="Height and width, a multiple of 16.", min=64, max=1024)] = 128,
) -> None:
    """Write a small copy of a licensed data set with rendered faces, in its format, to try the workflow."""
    from clef.fixtures import write_fixture
    from clef.fixtures.size import FixtureSize
    from clef.runtime.progress import notice

    size = FixtureSize(tuple(subject) if subject else None, frames, pixels)
    written = write_fixture(dataset, packaging, to, size)
    notice("%s: %s, packaging %s", to, dataset, written)
