"""Subcommands before training: from raw recordings to the manifest."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import app
from clef.cli.lookup import dataset_params, shards
from clef.cli.options import Crop, Crops, DatasetName, Out, Raw, Sequences, Workers
from clef.errors import ClefError

log = logging.getLogger(__name__)


@app.command("render-demo")
def render_demo(
    dataset: DatasetName, out: Annotated[Path, typer.Option(help="Folder to fill.")], workers: Workers = 1
) -> None:
    """Draw the demo: people, activities and action units (or still expressions), with labels."""
    from clef.demo.render import render_demo as render
    from clef.progress import progress

    settings = dataset_params(dataset).render
    if settings is None:
        raise ClefError(f"{dataset}: not a demo set; only runs with a `render:` section are drawn")
    with progress("rendering") as step:
        render(settings, out, workers, step)


@app.command()
def ingest(dataset: DatasetName, raw: Raw, out: Out) -> None:
    """List the raw recordings and check them against what is expected."""
    from clef.datasets import open_dataset
    from clef.ingest import ingest as run_ingest
    from clef.progress import progress

    with progress("ingesting") as step:
        run_ingest(open_dataset(dataset_params(dataset)), raw, out, step)


@app.command()
def crop(
    dataset: DatasetName,
    crop: Crop,
    raw: Raw,
    sequences: Sequences,
    shard: Annotated[str, typer.Option(help="Name of the shard.")],
    out: Out,
) -> None:
    """Find and cut out the faces of one shard: one row for every frame."""
    from clef.faces.crop import crop_shard
    from clef.ingest import read_sequences
    from clef.lease import leased
    from clef.progress import progress

    settings = dataset_params(dataset, crop).crop
    listed = read_sequences(sequences, shard)
    expected = sum(sequence.frames or 1 for sequence in listed)
    done = 0

    with leased(out), progress("cropping") as step:

        def add(sequence: str, frames: int) -> None:
            nonlocal done
            done += frames
            step(done, max(done, expected))

        report = crop_shard(raw, listed, settings, out, out.with_suffix(".work"), add)
    for name, problem in report.problems:
        log.warning("%s: %s", name, problem)
    counts = ", ".join(f"{count} {status}" for status, count in report.statuses.items() if count)
    log.info("%d frames: %s", report.frames, counts)


@app.command()
def manifest(dataset: DatasetName, crop: Crop, raw: Raw, sequences: Sequences, crops: Crops, out: Out) -> None:
    """Join crops and labels into one table with a row for every frame."""
    from clef.datasets import open_dataset
    from clef.ingest import read_sequences
    from clef.manifest import build_manifest

    adapter = open_dataset(dataset_params(dataset, crop))
    table = build_manifest(adapter, raw, read_sequences(sequences), shards(adapter.shards(), crops), out)
    log.info("%d frames, %d labelled", len(table), table["labelled"].sum())
