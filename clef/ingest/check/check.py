"""Is this copy of a data set whole? Found against expected, within seconds also on terabytes: it lists and samples."""

from collections.abc import Callable
from pathlib import Path

from clef.datasets.base import Dataset
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.ingest.check.labels import check_labels
from clef.ingest.check.recordings import check_recordings
from clef.ingest.check.report import Findings, Report, Row, report
from clef.ingest.versions.pointers import check_fetched, existing_pointers


def check(dataset: Dataset, root: Path, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check a copy.

    Every recording is listed and looked for, some are opened; every label file is read.

    Args:
        dataset: The adapter, with a run's settings.
        root: The raw folder.
        progress: Called with recordings opened and to be opened.
    """
    findings = Findings()
    known = dataset.published_counts
    try:
        if not root.is_dir():
            found = "is no folder" if root.exists() else "does not exist"
            raise ClefError(
                f"the raw folder {root} {found}; expected the raw data of {dataset.name}; put or link it there"
            )
        check_fetched(existing_pointers(dataset, root), root)
        packaging = dataset.packaging(root)
        findings.rows.append(Row("copy", "packaging", packaging.name, note=packaging.found))
        if packaging.offset is not None:
            offset = f"label = image {packaging.offset:+d}" if packaging.offset else "label = image"
            findings.rows.append(Row("copy", "frame number", offset, note=packaging.reason or ""))
        known = _of_whom_is_used(dataset, dataset.published_counts_of(root))
        opened = check_recordings(dataset, known, root, findings, progress)
        check_labels(dataset, known, root, opened, findings)
    except ClefError as error:  # what comes after it cannot be checked
        findings.problems.append(str(error))
    source = known.source if known else None
    return report(dataset.name, dataset.params.dataset.adapter, str(root), source, findings)


def _of_whom_is_used(dataset: Dataset, known: PublishedCounts | None) -> PublishedCounts | None:
    """What is published of the whole set says nothing of the part of a laboratory that takes some subjects."""
    if known is None or known.subjects in (None, len(dataset.subjects())):
        return known
    return PublishedCounts(
        known.source, subjects=known.subjects, threshold=known.threshold, known_missing=known.known_missing
    )
