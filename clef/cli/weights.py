"""The subcommand that fetches what the project does not ship."""

from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, app
from clef.errors import ClefError


@app.command("fetch-weights", rich_help_panel=DATA, epilog="Example: clef fetch-weights yunet")
def fetch_weights(
    detector: Annotated[str, typer.Argument(help="Whose weights: retinaface or yunet.")],
    to: Annotated[
        Path | None, typer.Option(help="File to write, as `crop.weights` names it; in weights/ without.")
    ] = None,
) -> None:
    """Download a face detector's weights and check their hash; without a network, say what to get from where."""
    from clef.download import fetch
    from clef.progress import notice
    from clef.weights import DETECTOR_RELEASES, FOLDER, file_hash

    release = DETECTOR_RELEASES.get(detector)
    if release is None:
        raise ClefError(f"fetch-weights: no weights of {detector}; expected one of {', '.join(DETECTOR_RELEASES)}")
    target = to or FOLDER / release.file
    if target.is_dir():
        target /= release.file
    fetched = fetch(release, target)
    notice("%s: %s, SHA-256 %s", target, "fetched" if fetched else "there already", file_hash(target))
