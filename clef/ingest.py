"""List the raw recordings: `data/interim/{dataset}/sequences.parquet`, and what was found against what was expected."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from clef.datasets.base import SEQUENCE_COLUMNS, Dataset, Sequence
from clef.errors import ClefError
from clef.faces.frames import inspect
from clef.files import appearing

log = logging.getLogger(__name__)


def ingest(
    dataset: Dataset, root: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """List, open and describe every recording of a data set.

    Args:
        dataset: The adapter.
        root: Folder of the raw data.
        target: The parquet file to write: one row a sequence, the fields of `clef.datasets.base.Sequence`.
        progress: Called with recordings done and recordings in all.

    Returns:
        The table written.

    Raises:
        ClefError: Nothing found, subjects missing, or more unreadable recordings than `ingest.max_bad` allows.
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
    broken = [sequence for sequence in sequences if sequence.problem is not None]
    for sequence in broken:
        log.warning("%s: %s", sequence.source, sequence.problem)
    allowed = dataset.params.ingest.max_bad * len(sequences)
    if len(broken) > allowed:
        names = _some([f"{sequence.source} ({sequence.problem})" for sequence in broken])
        raise ClefError(
            f"{root}: {len(broken)} of {len(sequences)} recordings unreadable, ingest.max_bad allows {int(allowed)}: {names}"
        )
    log.info(
        "%s: %d of %d expected recordings, %d unreadable",
        dataset.name,
        len(sequences),
        dataset.expected_sequences(),
        len(broken),
    )
    table = pd.DataFrame([asdict(sequence) for sequence in sequences], columns=SEQUENCE_COLUMNS)
    whole = {column: "Int64" for column in ("frames", "width", "height")}
    table = table.astype({**whole, "fps": "Float64"})
    with appearing(target) as partial:
        table.to_parquet(partial, index=False)
    return table


def read_sequences(path: Path, shard: str | None = None) -> list[Sequence]:
    """Read the recordings of one shard, or all, as listed by `ingest`."""
    table = pd.read_parquet(path)
    if shard is not None:
        table = table[table["shard"] == shard]
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [Sequence(**{str(column): value for column, value in row.items()}) for row in rows]


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
