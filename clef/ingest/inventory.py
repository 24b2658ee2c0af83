"""The inventory of a raw copy: its recordings, its labels, and a report of what was found and what was expected.

`clef check` takes it quickly and prints the report. The rule `ingest` takes it in full and writes `sequences.parquet`,
`labels.parquet` and `check.txt`; `manifest` reads the tables and does not look at the raw copy again.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.base import Dataset
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError, abbreviate
from clef.ingest.check_counts import count_labels
from clef.ingest.check_labels import check_labels
from clef.ingest.check_recordings import RawCopy, check_recordings
from clef.ingest.report import Report, ReportRow
from clef.ingest.report_text import report_text
from clef.ingest.tables import write_tables
from clef.ingest.versions.pointers import changes, check_fetched, existing_pointers, pointer_path
from clef.recordings.frames import inspect_sequence
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import write_text
from clef.runtime.paths import link_target

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass
class Inventory:
    """Everything that was found in a raw copy."""

    report: Report
    sequences: list[RecordedSequence] = field(default_factory=list)
    """All recordings, also missing ones that have labels. A quick check inspects only some of them."""
    labels: "pd.DataFrame | None" = None
    """As `Dataset.labels`; None if they cannot be read."""


def take_inventory(
    dataset: Dataset, root: Path, full: bool, progress: Callable[[int, int], None] | None = None
) -> Inventory:
    """List the recordings, read the labels, and compare both with each other and with what is expected.

    A full inventory inspects every recording, otherwise a sample, which takes seconds also on terabytes.
    """
    report = Report(dataset.name, dataset.params.dataset.adapter, str(root))
    inventory = Inventory(report)
    try:
        if not root.is_dir():
            target = link_target(root)
            found, remedy = "does not exist", "put or link it there"
            if root.exists():
                found = "is no folder"
            elif target is not None:
                found, remedy = f"leads to {target}, which does not exist", "mount that disk, or correct the link"
            raise ClefError(f"the raw folder {root} {found}; expected the raw data of {dataset.name}; {remedy}")
        check_fetched(existing_pointers(dataset, root), root)
        packaging = dataset.packaging(root)
        report.rows.append(ReportRow("copy", "packaging", packaging.name, note=packaging.found))
        if packaging.offset is not None:
            offset = f" {packaging.offset:+d}" if packaging.offset else ""
            report.rows.append(ReportRow("copy", "frame number", f"label = image{offset}", note=packaging.reason or ""))
        copy = RawCopy(dataset, root, _published_counts(dataset, root), report)
        report.source = copy.published.source or None
        table, sequences = check_recordings(copy, full, progress)
        inventory.sequences = table.sequences
        before = len(report.problems)
        inventory.labels = check_labels(copy, sequences, table.images)
        if inventory.labels is not None:
            count_labels(copy, sequences, inventory.labels, len(report.problems) > before)
        for change in changes(dataset, root, most_files=None if full else 5000):
            report.remark(change)
    except ClefError as error:  # nothing after this can be checked
        report.problem(str(error))
    return inventory


def _published_counts(dataset: Dataset, root: Path) -> PublishedCounts:
    """Return the published counts that hold for this run: most say nothing if it uses only some of the subjects."""
    published = dataset.published_counts_of(root) or PublishedCounts(source="")
    if published.subjects in (None, len(dataset.subjects())):
        return published
    kept = {name: getattr(published, name) for name in ("source", "subjects", "threshold", "known_missing")}
    return PublishedCounts(**kept)


def ingest(
    dataset: Dataset, root: Path, sequences: Path, progress: Callable[[int, int], None] | None = None
) -> Inventory:
    """Take a full inventory and write the recordings, and beside them the labels and the report.

    If the copy is not usable, print the report to stderr, raise a ClefError with the verdict, and write nothing.
    """
    inventory = take_inventory(dataset, root, True, progress)
    text = report_text(inventory.report)
    if not inventory.report.usable:
        print(text, end="", file=sys.stderr)
        raise ClefError(inventory.report.verdict)
    for sequence in inventory.sequences:
        if sequence.problem is not None:
            log.warning("%s (%s)", sequence.location, sequence.problem)
    for remark in inventory.report.remarks:
        log.warning("%s", remark)
    write_text(sequences.with_name("check.txt"), text)
    write_tables(sequences, inventory.sequences, inventory.labels)
    return inventory


def shard_sequences(dataset: Dataset, root: Path, shard: str) -> list[RecordedSequence]:
    """List and inspect the recordings of one shard, except missing ones, as `ingest` does for all.

    Cropping does not use the table of `ingest`, because it changes with any recording and would make every shard stale.
    The manifest checks that both saw the same recordings.
    """
    if shard not in dataset.shards():
        raise ClefError(f"{dataset.name}: no shard {shard}; expected one of {abbreviate(dataset.shards())}")
    pointer = pointer_path(root, dataset.version_of(shard))
    check_fetched([pointer] if pointer.exists() else [], root)
    listed = dataset.sequences(root)
    own = [sequence for sequence in listed if sequence.shard == shard]
    if not own and (dataset.subjects() or not listed):  # a block of images may be empty, a subject may not
        raise ClefError(f"{root}: no recordings of {shard} found; complete the copy")
    # Images are not decoded here: cropping decodes all of them anyway.
    inspected = (inspect_sequence(root, sequence, decode=False) for sequence in own)
    return [sequence for sequence in inspected if not sequence.is_missing]
