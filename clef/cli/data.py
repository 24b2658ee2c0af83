"""Subcommands from raw recordings to the manifest."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import step
from clef.cli.find_run import find_dataset, shards
from clef.cli.options import Attempt, Crop, Crops, DatasetName, Out, Raw, Sequences, Workers
from clef.cli.processes import attempted
from clef.errors import ClefError
from clef.runtime.gpus import claim_gpus
from clef.runtime.lease import leased
from clef.runtime.progress import notice, progress

log = logging.getLogger(__name__)


@step("clef render-demo demo --out data/raw/demo --workers 2")
def render_demo(
    dataset: DatasetName, out: Annotated[Path, typer.Option(help="Folder to write.")], workers: Workers = 1
) -> None:
    """Render a labelled demo data set: videos of activities with action units, or still images of expressions."""
    from clef.demo.overwrite_guard import require_own_folder
    from clef.demo.render import render_demo as render

    settings = find_dataset(dataset).params.render
    if settings is None:
        raise ClefError(f"{dataset}: not a demo set; only runs with a `render:` section are drawn")
    require_own_folder(out)
    with leased(out / "render.json"), progress("video" if settings.kind == "videos" else "image") as report_progress:
        files = render(settings, out, workers, report_progress)
    notice("%d files in %s", files, out)


@step("clef ingest demo --raw data/raw/demo --out data/interim/demo/sequences.parquet")
def ingest(dataset: DatasetName, raw: Raw, out: Out) -> None:
    """List the raw recordings, read the labels, and check both.

    It also writes labels.parquet and check.txt next to the list of recordings.
    If the copy is not usable, it writes nothing.
    """
    from clef.ingest.disk_space import least_crop_bytes, require_space
    from clef.ingest.inventory import ingest as run_ingest

    adapter = find_dataset(dataset)
    with leased(out), progress("recording") as report_progress:
        inventory = run_ingest(adapter, raw, out, report_progress)
    crops = out.parent / adapter.params.crop_digest
    done = {path.stem for path in crops.glob("*.arrow")}
    frames = sum(sequence.frames or 1 for sequence in inventory.sequences if sequence.shard not in done)
    least = frames * least_crop_bytes(adapter.params.crop)
    require_space(crops, least, "the crops of these recordings")
    notice("%d recordings; %s", len(inventory.sequences), inventory.report.verdict)


@step("clef crop demo --crop {crop} --raw data/raw/demo --shard F001 --out data/interim/demo/{crop}/F001.arrow")
def crop(
    dataset: DatasetName,
    crop: Crop,
    raw: Raw,
    shard: Annotated[str, typer.Option(help="Name of the shard.")],
    out: Out,
    attempt: Attempt = None,
) -> None:
    """Crop the faces of one shard, with one row per frame."""
    from clef.faces.crop import crop_shard
    from clef.ingest.inventory import shard_sequences

    adapter = find_dataset(dataset, crop)
    params = adapter.params
    with attempted(params, out, attempt):
        if params.crop.device == "cuda":
            claim_gpus(1)
        sequences = shard_sequences(adapter, raw, shard)
        expected, done = sum(sequence.frames or 1 for sequence in sequences), 0
        with leased(out), progress("frame") as report_progress:

            def add(sequence: str, frames: int) -> None:
                nonlocal done
                done += frames
                report_progress(done, max(done, expected))

            report = crop_shard(raw, sequences, params.crop, out, out.with_suffix(".work"), add)
        for name, problem in report.problems:
            log.warning("%s: %s", name, problem)
        counts = ", ".join(f"{count} {status}" for status, count in report.statuses.items() if count)
        notice("%d frames: %s", report.frames, counts)


@step(
    "clef manifest demo --crop {crop} --sequences data/interim/demo/sequences.parquet "
    "--labels data/interim/demo/labels.parquet --crops data/interim/demo/{crop} "
    "--out data/processed/demo/{crop}/manifest.parquet"
)
def manifest(
    dataset: DatasetName,
    crop: Crop,
    sequences: Sequences,
    labels: Annotated[Path, typer.Option(help="Table of labels, from `clef ingest`.")],
    crops: Crops,
    out: Out,
) -> None:
    """Join crops and labels into one table with one row per frame."""
    from clef.ingest.tables import read_labels, read_sequences
    from clef.manifest.table import build_manifest

    adapter = find_dataset(dataset, crop)
    inventory = read_sequences(sequences), read_labels(labels)
    with leased(out), progress("shard") as report_progress:
        table = build_manifest(adapter, *inventory, shards(adapter, crops), out, report_progress)
    notice("%d frames, %d labelled", len(table), table["labelled"].sum())
