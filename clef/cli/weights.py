"""The subcommand that downloads weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import DATA_PANEL, JobCommand, app
from clef.errors import ClefError
from clef.runtime.files import file_hash, write_text
from clef.runtime.paths import WEIGHTS
from clef.runtime.progress import notice, progress


@app.command("fetch-weights", cls=JobCommand, rich_help_panel=DATA_PANEL, epilog="Example: clef fetch-weights yunet")
def fetch_weights(
    name: Annotated[
        str, typer.Argument(help="retinaface, yunet, clip, or an open_clip model with its pretrained tag: NAME/TAG.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help="File to write. For a detector, this file holds the weights; by default it is in weights/. For a "
            "model, the weights stay in open_clip's cache, and this is a JSON file with their path and hash."
        ),
    ] = None,
) -> None:
    """Download published weights and check their hash.

    The workflow does this before its first long job.
    If there is no network, the error message says where to get the file.
    """
    from clef.weights.releases import DETECTOR_RELEASES

    if name in DETECTOR_RELEASES:
        from clef.weights.download import fetch

        release = DETECTOR_RELEASES[name]
        target = to or WEIGHTS / release.file
        if target.is_dir():
            target /= release.file
        with progress("MB") as report_progress:
            fetched = fetch(release, target, report_progress)
        notice("%s: %s, SHA-256 %s", target, "downloaded" if fetched else "exists already", file_hash(target))
        return
    model, slash, tag = ("ViT-B-16-quickgelu/openai" if name == "clip" else name).rpartition("/")
    if not slash:
        known = ", ".join(DETECTOR_RELEASES)
        raise ClefError(f"fetch-weights: unknown weights {name}; expected one of {known}, clip, or a model's NAME/TAG")
    from clef.weights.open_clip import fetch_pretrained

    path, digest = fetch_pretrained(model, tag)
    notice("%s: SHA-256 %s", path, digest)
    if to is not None:
        write_text(to, json.dumps({"model": model, "tag": tag, "file": str(path), "sha256": digest}, indent=1) + "\n")
