"""The tables of recordings and labels that `ingest` makes of a raw copy, without any judgement of them.

Only this module of `clef.ingest`, with the adapter, makes tables stale when it changes: import no other one here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clef.datasets.base import Dataset, sort_by_shard
from clef.datasets.image_dataset import UNLABELLED, Unlabelled
from clef.errors import ClefError
from clef.recordings.frames import inspect_numbered, inspect_sequence
from clef.recordings.sequence import NUMBERED, SEQUENCE_COLUMNS, RecordedSequence
from clef.runtime.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd

IMAGES_DECODED = 2000
"""Number of single images that a full inventory decodes. It only checks the size of the others."""

_TYPES = dict.fromkeys(("first_frame", "frames", "file_size"), pa.int64())
_TYPES |= dict.fromkeys(("width", "height"), pa.int32())
_TYPES |= {"fps": pa.float64(), "box": pa.list_(pa.int32())}
SCHEMA = pa.schema([(column, _TYPES.get(column, pa.string())) for column in SEQUENCE_COLUMNS])


@dataclass
class RecordingTable:
    """Recordings as the table lists them, and what was seen of them."""

    sequences: list[RecordedSequence]
    """All, also missing ones that have labels; inspected ones with their facts."""
    opened: set[str]
    """Names of the inspected recordings, without images of which only the size was read."""
    images: dict[str, np.ndarray]
    """Frame numbers of the images, by name of each inspected recording of numbered images."""


@dataclass
class CollectedLabels:
    """Labels as read, and what could not be read."""

    labels: "pd.DataFrame | None"
    """As `Dataset.labels`; None if no shard's labels can be read."""
    shards: set[str]
    """Shards whose labels were read."""
    unlabelled: Unlabelled | None = None
    errors: list[str] = field(default_factory=list)


def inspect_recordings(
    dataset: Dataset,
    root: Path,
    listed: list[RecordedSequence],
    sample: list[RecordedSequence] | None,
    progress: Callable[[int, int], None] | None,
) -> RecordingTable:
    """Inspect the listed recordings, or only a sample of them, and add missing ones."""
    single = [sequence.sequence for sequence in listed if sequence.is_single_image and sample is None]
    not_decoded = set(single) - set(single[:: max(1, len(single) // IMAGES_DECODED)])
    inspected: dict[str, RecordedSequence] = {}
    images: dict[str, np.ndarray] = {}
    chosen = listed if sample is None else sample
    for done, sequence in enumerate(chosen, start=1):
        name = sequence.sequence
        if sequence.kind in NUMBERED:
            inspected[name], numbers = inspect_numbered(root, sequence, sizes=sample is None)
            images[name] = np.array(numbers, dtype=np.int64)  # a copy may have millions
        else:
            inspected[name] = inspect_sequence(root, sequence, decode=name not in not_decoded)
        if progress is not None:
            progress(done, len(chosen))
    sequences = [inspected.get(sequence.sequence, sequence) for sequence in listed]
    if missing := dataset.missing_recordings(root):
        sequences = sort_by_shard([*sequences, *missing])
    return RecordingTable(sequences, inspected.keys() - not_decoded, images)


def collect_labels(dataset: Dataset, root: Path, sequences: list[RecordedSequence]) -> CollectedLabels:
    """Read all labels, or after an error shard by shard, to name every broken file."""
    import pandas as pd

    shards = set(dataset.shards())
    try:
        labels = dataset.labels(root, sequences)
        return CollectedLabels(labels, shards, labels.attrs.pop(UNLABELLED, None))
    except ClefError as error:
        errors = [str(error)]
    tables = []
    for shard in dataset.shards():
        own = [sequence for sequence in sequences if sequence.shard == shard]
        try:
            tables += [dataset.labels(root, own)] if own else []
        except ClefError as error:
            errors.append(str(error))
            shards.remove(shard)
    joined = pd.concat(tables, ignore_index=True) if tables else None
    return CollectedLabels(joined, shards, errors=list(dict.fromkeys(errors)))


def write_tables(target: Path, sequences: list[RecordedSequence], labels: "pd.DataFrame | None") -> None:
    """Write the recordings, and beside them the labels."""
    with atomic_write(target.with_name("labels.parquet")) as partial:
        pq.write_table(pa.Table.from_pandas(labels, preserve_index=False), partial)
    with atomic_write(target) as partial:
        pq.write_table(pa.Table.from_pylist([vars(sequence) for sequence in sequences], SCHEMA), partial)


def read_sequences(path: Path) -> list[RecordedSequence]:
    """Read the recordings written by `ingest`."""
    return [RecordedSequence(**row) for row in pq.read_table(path, columns=SEQUENCE_COLUMNS).to_pylist()]


def read_labels(path: Path) -> "pd.DataFrame":
    """Read the labels written by `ingest`, as `Dataset.labels` returned them."""
    table = pq.read_table(path)
    # pandas reads every text column as `str`; arrow's `string` tells that it was `object`, which the manifest keeps.
    return table.to_pandas().astype({column.name: object for column in table.schema if column.type == pa.string()})
