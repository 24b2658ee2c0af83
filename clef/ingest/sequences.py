"""List the raw recordings: `data/interim/{dataset}/sequences.parquet`, and what was found against what was expected."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clef.datasets.base import PLAIN, Dataset
from clef.errors import ClefError
from clef.ingest.labels import read_labels
from clef.ingest.versions.pointers import check_fetched, existing_pointers, pointer_path, warn_of_changes
from clef.recordings.frames import inspect_numbered, inspect_sequence
from clef.recordings.sequence import MISSING, NUMBERED, SEQUENCE_COLUMNS, RecordedSequence
from clef.runtime.files import atomic_write
from clef.runtime.wording import abbreviate

log = logging.getLogger(__name__)

DECODED = 2000
"""Single images that `ingest` decodes, at least, of however many more."""

_TYPES = {
    "first_frame": pa.int64(),
    "frames": pa.int64(),
    "file_size": pa.int64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "fps": pa.float64(),
    "box": pa.list_(pa.int32()),
}
SCHEMA = pa.schema([(column, _TYPES.get(column, pa.string())) for column in SEQUENCE_COLUMNS])


def ingest(
    dataset: Dataset, root: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> list[RecordedSequence]:
    """List, open and describe every recording of a data set.

    Args:
        dataset: The adapter.
        root: Folder of the raw data.
        target: The parquet file to write: one row per sequence, the fields of `RecordedSequence`.
        progress: Called with recordings done and recordings in all.

    Returns:
        The recordings, as written.

    Raises:
        ClefError: Nothing found, versioned data that was not fetched, subjects missing, or more recordings missing or
            unreadable than `ingest.max_bad` allows, or labels that do not fit.
    """
    check_fetched(existing_pointers(dataset, root), root)
    packaging = dataset.packaging(root)
    if packaging.name != PLAIN:
        log.info("%s: %s", dataset.name, packaging.line)
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    expected = set(dataset.subjects())
    missing = sorted(expected - {sequence.subject for sequence in listed if sequence.subject is not None})
    if missing:
        raise ClefError(
            f"{root}: {len(expected) - len(missing)} of {len(expected)} subjects found; "
            f"missing {abbreviate(missing)}: complete the copy"
        )
    sequences, images = _inspect_all(root, listed, progress)
    absent = dataset.missing_recordings(root)
    if absent:
        sequences = sorted([*sequences, *absent], key=lambda sequence: (sequence.shard, sequence.sequence))
    expected_names = dataset.expected_sequences()
    bad = [f"{sequence.location} ({sequence.problem})" for sequence in sequences if sequence.problem is not None]
    bad += [f"{name} (missing)" for name in sorted(set(expected_names) - {s.sequence for s in sequences})]
    for problem in bad:
        log.warning("%s", problem)
    _require_whole_zips(sequences, root)
    expected_number = max(len(expected_names), len(sequences))  # of images, only the copy knows the names
    allowed = int(dataset.params.ingest.max_bad * expected_number)
    if len(bad) > allowed:
        raise ClefError(
            f"{root}: {len(bad)} of {expected_number} recordings missing or unreadable, "
            f"ingest.max_bad allows {allowed}: {abbreviate(bad)}"
        )
    read_labels(dataset, root, sequences, images)  # a mistake in them is told now, and not after hours of cropping
    warn_of_changes(dataset, root)
    log.info("%s: %d of %d expected recordings listed", dataset.name, len(sequences), expected_number)
    with atomic_write(target) as partial:
        columns = {column: [getattr(sequence, column) for sequence in sequences] for column in SEQUENCE_COLUMNS}
        pq.write_table(pa.table(columns, SCHEMA), partial)
    return sequences


def _inspect_all(
    root: Path, listed: list[RecordedSequence], progress: Callable[[int, int], None] | None
) -> tuple[list[RecordedSequence], dict[str, np.ndarray]]:
    """Describe all recordings, and list the frames of those of numbered images."""
    looked_at = _sample(listed)
    sequences: list[RecordedSequence] = []
    images: dict[str, np.ndarray] = {}
    for done, sequence in enumerate(listed, start=1):
        if sequence.kind in NUMBERED:
            described, numbers = inspect_numbered(root, sequence)
            images[sequence.sequence] = np.array(numbers, dtype=np.int64)  # a copy may have millions
            sequences.append(described)
        else:
            sequences.append(inspect_sequence(root, sequence, decode=sequence.sequence in looked_at))
        if progress is not None:
            progress(done, len(listed))
    return sequences, images


def _require_whole_zips(sequences: list[RecordedSequence], root: Path) -> None:
    """Refuse a zip of which nothing can be read, as one that was cut off: a shard is missing, not some recordings."""
    zipped = [sequence for sequence in sequences if sequence.kind == "zip"]
    readable = {sequence.source for sequence in zipped if sequence.problem is None}
    broken = {sequence.source: sequence.problem for sequence in zipped if sequence.source not in readable}
    if broken:
        problem = broken[min(broken)]
        why = "it holds no images of any recording; copy it again" if problem == MISSING else problem
        raise ClefError(f"{root}: nothing of {abbreviate(sorted(broken))} can be read: {why}")


def shard_sequences(dataset: Dataset, root: Path, shard: str) -> list[RecordedSequence]:
    """List, open and describe the recordings of one shard, as `ingest` does for all, but for those that are not there.

    Cropping asks here and not the table that `ingest` writes: a change of one recording makes that table new, and every
    shard that was made from it stale. The manifest checks that both saw the same recordings.

    Raises:
        ClefError: No such shard, no recordings of it, or versioned ones that were not fetched.
    """
    if shard not in dataset.shards():
        raise ClefError(f"{dataset.name}: no shard {shard}; expected one of {abbreviate(dataset.shards())}")
    pointer = pointer_path(root, dataset.version_of(shard))
    check_fetched([pointer] if pointer.exists() else [], root)
    listed = dataset.sequences(root)
    own = [sequence for sequence in listed if sequence.shard == shard]
    if not own and (dataset.subjects() or not listed):  # a block of images may be empty, a subject not
        raise ClefError(f"{root}: no recordings of {shard} found; complete the copy")
    # not looked at: cropping decodes every image at once
    described = (inspect_sequence(root, sequence, decode=False) for sequence in own)
    return [sequence for sequence in described if not sequence.is_missing]


def read_sequences(path: Path) -> list[RecordedSequence]:
    """Read the recordings, as listed by `ingest`."""
    return [RecordedSequence(**row) for row in pq.read_table(path, columns=SEQUENCE_COLUMNS).to_pylist()]


def _sample(listed: list[RecordedSequence]) -> set[str]:
    """Names of the single images to decode: enough of them, evenly, to see that they can be read.

    Of the others the size is asked. Cropping decodes them all, and the manifest counts those that do not.
    """
    images = [sequence.sequence for sequence in listed if sequence.is_single_image]
    return set(images[:: max(1, len(images) // DECODED)])
