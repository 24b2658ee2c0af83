"""Shards: Arrow files with one row for every input frame and its crop as JPEG, read through a memory map."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from clef.errors import ClefError
from clef.params.schema import digest
from clef.recordings.sequence import SEQUENCE_COLUMNS, RecordedSequence
from clef.runtime.files import atomic_write

FINGERPRINT = b"clef.fingerprint"
RECORDINGS = b"clef.recordings"
ROWS_PER_BATCH = 256
CROPPED = ("detected", "tracked", "bridged")
"""Statuses of frames with a crop."""
STATUSES = (*CROPPED, "no_face", "undecodable")

SCHEMA = pa.schema(
    [
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("time", pa.float64()),  # seconds since the start of the recording, as players show it; of videos only
        pa.field("status", pa.string(), nullable=False),
        pa.field("faces", pa.int16()),  # number detected; null if the detector did not see the frame
        pa.field("score", pa.float32()),  # of the detection; null if there was none in this frame
        *(pa.field(name, pa.float32()) for name in ("x", "y", "width", "height")),  # face box in source pixels
        pa.field("landmarks", pa.list_(pa.float32())),  # x, y of five points in source pixels
        pa.field("crop", pa.binary()),  # JPEG
    ]
)

# These columns describe what a recording shows, or follow from its file. They do not change its crops.
_WITHOUT_EFFECT = {"dataset", "subject", "activity", "split", "fps", "width", "height", "problem"}
_WITH_EFFECT = [column for column in SEQUENCE_COLUMNS if column not in _WITHOUT_EFFECT]


def recordings_digest(sequences: Iterable[RecordedSequence]) -> str:
    """Return a short digest of recordings, which changes with their files, lengths and frame numbers."""
    ordered = sorted(sequences, key=lambda sequence: sequence.sequence)
    return digest([[getattr(sequence, column) for column in _WITH_EFFECT] for sequence in ordered])


def write_shard(
    target: Path, batches: Iterable[pa.RecordBatch], fingerprint: Mapping[str, Any], recordings: str = ""
) -> None:
    """Write record batches of `SCHEMA` one by one, uncompressed, with the fingerprint of the crops.

    `recordings` is the digest of the recordings that the rows come from.
    """
    schema = SCHEMA.with_metadata({FINGERPRINT: json.dumps(fingerprint, sort_keys=True), RECORDINGS: recordings})
    with atomic_write(target) as file, pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Map the record batches of a shard one by one, as `open_shard`."""
    reader = _reader(path)
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def open_shard(path: Path) -> pa.Table:
    """Map a shard into memory; raise a ClefError if it is missing or damaged. Data is read only when it is used."""
    return _reader(path).read_all()


def decode_crop(encoded: bytes | pa.Buffer) -> np.ndarray | None:
    """Decode the JPEG of a crop to RGB, uint8 (height, width, 3); None if it is none."""
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_fingerprint(path: Path) -> dict[str, Any]:
    """Read the fingerprint of a shard's crops, as `open_shard`."""
    return json.loads(_reader(path).schema.metadata[FINGERPRINT])


def read_recordings(path: Path) -> str:
    """Read the digest of a shard's recordings, as `open_shard`; empty if none was written."""
    return _reader(path).schema.metadata.get(RECORDINGS, b"").decode()


def _reader(path: Path) -> pa.RecordBatchFileReader:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowInvalid) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
        raise ClefError(f"{path}: {reason}; expected a shard of crops; make it with `clef crop`") from None
    if FINGERPRINT not in (reader.schema.metadata or {}):
        raise ClefError(f"{path}: no fingerprint inside; expected a shard of crops; make it with `clef crop`")
    return reader
