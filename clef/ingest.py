"""List the raw recordings: `data/interim/{dataset}/sequences.parquet`, and what was found against what was expected."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clef.datasets.base import SEQUENCE_COLUMNS, Dataset, Sequence
from clef.errors import ClefError
from clef.faces.frames import inspect
from clef.files import appearing

log = logging.getLogger(__name__)

_TYPES = {
    "first_frame": pa.int64(),
    "frames": pa.int64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "fps": pa.float64(),
}
SCHEMA = pa.schema([(column, _TYPES.get(column, pa.string())) for column in SEQUENCE_COLUMNS])


def ingest(
    dataset: Dataset, root: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> list[Sequence]:
    """List, open and describe every recording of a data set.

    Args:
        dataset: The adapter.
        root: Folder of the raw data.
        target: The parquet file to write: one row a sequence, the fields of `clef.datasets.base.Sequence`.
        progress: Called with recordings done and recordings in all.

    Returns:
        The recordings, as written.

    Raises:
        ClefError: Nothing found, subjects missing, or more recordings missing or unreadable than `ingest.max_bad`
            allows.
    """
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    expected = set(dataset.subjects())
    missing = sorted(expected - {sequence.subject for sequence in listed if sequence.subject is not None})
    if missing:
        raise ClefError(
            f"{root}: {len(expected) - len(missing)} of {len(expected)} subjects found; "
            f"missing {_some(missing)}: complete the copy"
        )
    sequences = []
    for done, sequence in enumerate(listed, start=1):
        sequences.append(inspect(root, sequence))
        if progress is not None:
            progress(done, len(listed))
    expected_names = dataset.expected_sequences()
    bad = [f"{sequence.source} ({sequence.problem})" for sequence in sequences if sequence.problem is not None]
    bad += [f"{name} (missing)" for name in sorted(set(expected_names) - {s.sequence for s in sequences})]
    for problem in bad:
        log.warning("%s", problem)
    allowed = int(dataset.params.ingest.max_bad * len(expected_names))
    if len(bad) > allowed:
        raise ClefError(
            f"{root}: {len(bad)} of {len(expected_names)} recordings missing or unreadable, "
            f"ingest.max_bad allows {allowed}: {_some(bad)}"
        )
    log.info("%s: %d of %d expected recordings listed", dataset.name, len(sequences), len(expected_names))
    with appearing(target) as partial:
        pq.write_table(pa.Table.from_pylist([asdict(sequence) for sequence in sequences], SCHEMA), partial)
    return sequences


def read_sequences(path: Path, shard: str | None = None) -> list[Sequence]:
    """Read the recordings of one shard, or all, as listed by `ingest`."""
    filters = None if shard is None else [("shard", "==", shard)]
    return [Sequence(**row) for row in pq.read_table(path, columns=SEQUENCE_COLUMNS, filters=filters).to_pylist()]


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
