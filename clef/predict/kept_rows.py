"""Rows of a webcam, which are on disk as soon as they are predicted, so that they outlast a crash."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from clef.predict.table import Layout
from clef.runtime.progress import notice
from clef.trained.columns import METADATA

SECONDS_PER_LINE = 10.0


def keep_rows(batches: Iterable[pa.RecordBatch], layout: Layout, target: Path, name: str) -> None:
    """Write the rows of each frame as they come, and say now and then how many frames a second that makes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    began = last = time.monotonic()
    # A stream, unlike a file of batches, can be read without its end.
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_stream(file, layout.schema) as stream:
        for frames, batch in enumerate(batches, start=1):
            stream.write_batch(batch)
            now = time.monotonic()
            if now - last >= SECONDS_PER_LINE:
                last = now
                notice("%s: %d frames, %.1f frames/s", name, frames, frames / (now - began))


def kept_layout(source: Path) -> Layout | None:
    """Return the layout of kept rows, or None if a crash left no whole one."""
    try:
        with pa.OSFile(str(source), "rb") as file, pa.ipc.open_stream(file) as stream:
            return Layout(**json.loads(stream.schema.metadata[METADATA]))
    except pa.ArrowInvalid:
        return None


def kept_rows(source: Path) -> Iterator[pa.RecordBatch]:
    """Read kept rows, up to those that a crash cut off."""
    with pa.OSFile(str(source), "rb") as file, pa.ipc.open_stream(file) as stream:
        while True:
            try:
                batch = stream.read_next_batch()
            except (StopIteration, pa.ArrowInvalid, OSError):
                return
            yield batch
