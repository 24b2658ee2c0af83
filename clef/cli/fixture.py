"""The subcommand that makes a miniature of a licensed data set."""

from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, app


@app.command(rich_help_panel=DATA, epilog="Example: clef fixture bp4d --to data/raw/bp4d --subject F001 --subject M001")
def fixture(
    dataset: Annotated[str, typer.Argument(help="Name of an adapter, such as bp4d.")],
    to: Annotated[Path, typer.Option(help="Folder to make.", metavar="DIR")],
    packaging: Annotated[str | None, typer.Option(help="How it is packed; the first one known without.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Somebody to film; everybody without.")] = None,
    frames: Annotated[int, typer.Option(help="Of a recording, or images of a class and split.", min=4, max=1000)] = 6,
    pixels: Annotated[
        int, typer.Option(help="Height and width of a picture, a multiple of 16.", min=64, max=1024)
    ] = 128,
) -> None:
    """Make a miniature of a licensed set: rendered faces under its names and in its formats, to try the chain on."""
    from clef.fixtures import write_fixture
    from clef.fixtures.size import FixtureSize
    from clef.runtime.progress import notice

    size = FixtureSize(tuple(subject) if subject else None, frames, pixels)
    written = write_fixture(dataset, packaging, to, size)
    notice("%s: %s, packed as %s", to, dataset, written)
