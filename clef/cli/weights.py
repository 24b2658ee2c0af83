"""The subcommand that fetches what the project does not ship."""

import json
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA, JobCommand, app
from clef.errors import ClefError
from clef.runtime.files import file_hash
from clef.runtime.paths import WEIGHTS
from clef.weights.releases import DETECTOR_RELEASES, Release

CLIP = "ViT-B-16-quickgelu/openai"


@app.command("fetch-weights", cls=JobCommand, rich_help_panel=DATA, epilog="Example: clef fetch-weights yunet")
def fetch_weights(
    whose: Annotated[
        str, typer.Argument(help="retinaface or yunet; clip, or open_clip's name and tag of a model: NAME/TAG.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help="File to write, as `crop.weights` names it; in weights/ without. Of a model, whose file lies where "
            "open_clip looks for it: a note of that file and its hash."
        ),
    ] = None,
) -> None:
    """Download published weights and check their hash; without a network, say what to get from where.

    The workflow does it by itself, before anything long.
    """
    release = DETECTOR_RELEASES.get(whose)
    if release is not None:
        _fetch_release(release, to or WEIGHTS / release.file)
        return
    name, slash, tag = (CLIP if whose == "clip" else whose).rpartition("/")
    if not slash:
        known = ", ".join(DETECTOR_RELEASES)
        raise ClefError(f"fetch-weights: no weights of {whose}; expected one of {known}, clip, or NAME/TAG of a model")
    _fetch_model(name, tag, to)


def _fetch_release(release: Release, target: Path) -> None:
    from clef.runtime.progress import notice, progress
    from clef.weights.download import fetch

    if target.is_dir():
        target /= release.file
    with progress("MB") as tell:
        fetched = fetch(release, target, tell)
    notice("%s: %s, SHA-256 %s", target, "fetched" if fetched else "there already", file_hash(target))


def _fetch_model(name: str, tag: str, to: Path | None) -> None:
    from clef.runtime.files import write_text
    from clef.runtime.progress import notice
    from clef.weights.open_clip import fetch_pretrained

    path, found = fetch_pretrained(name, tag)
    notice("%s: SHA-256 %s", path, found)
    if to is not None:
        write_text(to, json.dumps({"model": name, "tag": tag, "file": str(path), "sha256": found}, indent=1) + "\n")
