"""The recordings of a copy: whose, how many, which are missing, and whether they can be opened."""

import os
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clef.checking.report import Findings, some
from clef.datasets.base import NUMBERED, Dataset, Sequence
from clef.errors import ClefError
from clef.faces.frames import inspect

Item = TypeVar("Item")

OPENED = 400
"""Recordings that are opened, of however many: at some ten milliseconds each. Of two thousand zipped ones that is too
many, since each zip has a list of contents to read."""
ZIPS_OPENED = 8
SIZES_ASKED = 5000
"""Sources whose size is asked; of more than that, of those opened only."""

EMPTY, MISSING, CUT_OFF = "empty", "missing", "not a whole zip file; did copying it break off? Copy it again"


def check_recordings(
    dataset: Dataset, root: Path, findings: Findings, progress: Callable[[int, int], None] | None = None
) -> list[Sequence]:
    """List the recordings, test all of them cheaply and open some.

    Args:
        dataset: The adapter.
        root: The raw folder.
        findings: To add to.
        progress: Called with recordings opened and to be opened.

    Returns:
        All, those that were opened with their facts.

    Raises:
        ClefError: There is nothing that could be listed.
    """
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    _count_subjects(dataset, listed, findings)
    missing = _count_sequences(dataset, listed, findings)
    damaged = _test_all(root, listed)
    sample = _sample([sequence for sequence in listed if sequence.source not in damaged])
    opened: dict[str, Sequence] = {}
    for done, sequence in enumerate(sample, start=1):
        opened[sequence.sequence] = inspect(root, sequence)
        if progress is not None:
            progress(done, len(sample))
    unreadable = [f"{sequence.source} ({sequence.problem})" for sequence in opened.values() if sequence.problem]
    _count_unreadable(dataset, listed, missing, damaged, opened, unreadable, findings)
    return [opened.get(sequence.sequence, sequence) for sequence in listed]


def _count_subjects(dataset: Dataset, listed: list[Sequence], findings: Findings) -> None:
    expected = set(dataset.subjects())
    if not expected:
        return
    found = {sequence.subject for sequence in listed if sequence.subject is not None}
    everybody = dataset.known.subjects if dataset.known else None
    chosen = f"the run takes these of the set's {everybody}" if everybody not in (None, len(expected)) else ""
    findings.count("copy", "subjects", len(found & expected), len(expected), chosen)
    missing = sorted(expected - found)
    if missing:
        findings.problems.append(
            f"no recordings of {len(missing)} of {len(expected)} subjects: {some(missing)}; complete the copy"
        )


def _count_sequences(dataset: Dataset, listed: list[Sequence], findings: Findings) -> list[str]:
    """Count recordings; the names of those missing."""
    expected = set(dataset.expected_sequences())
    names = {sequence.sequence for sequence in listed}
    number: int | None = len(expected)
    if not expected:
        number = dataset.known.sequences if dataset.known else None
    findings.count("copy", "sequences", len(names), number)
    missing = sorted(expected - names)
    if expected:
        findings.count("copy", "missing sequences", len(missing), 0)
    return missing


def _test_all(root: Path, listed: list[Sequence]) -> dict[str, str]:
    """What is wrong with a source, by source, as far as that can be seen without opening it."""
    sources = sorted({sequence.source for sequence in listed})
    zips = {sequence.source for sequence in listed if sequence.kind == "zip"}
    names_in: dict[Path, set[str]] = {}
    damaged = {}
    for source in sources:
        path = root / source
        if path.parent not in names_in:  # one listing a folder, and no question a file: there may be 300,000
            names_in[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in names_in[path.parent]:
            damaged[source] = MISSING
        elif len(sources) <= SIZES_ASKED and path.is_file() and not path.stat().st_size:
            damaged[source] = EMPTY
        elif source in zips and not zipfile.is_zipfile(path):
            damaged[source] = CUT_OFF
    return damaged


def _sample(sequences: list[Sequence]) -> list[Sequence]:
    """Recordings to open, taken evenly."""
    by_zip: dict[str, list[Sequence]] = defaultdict(list)
    others = []
    for sequence in sequences:
        if sequence.kind == "zip":
            by_zip[sequence.source].append(sequence)
        else:
            others.append(sequence)
    zipped = [sequence for source in _evenly(sorted(by_zip), ZIPS_OPENED) for sequence in by_zip[source]]
    return zipped + _evenly(others, OPENED)


def _evenly(items: list[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


def _count_unreadable(
    dataset: Dataset,
    listed: list[Sequence],
    missing: list[str],
    damaged: dict[str, str],
    opened: dict[str, Sequence],
    unreadable: list[str],
    findings: Findings,
) -> None:
    affected = sum(sequence.source in damaged for sequence in listed)
    opened_all = len(opened) + affected == len(listed)
    how = "all were opened" if opened_all else f"{len(opened)} of {len(listed)} were opened"
    findings.count("copy", "unreadable recordings", affected + len(unreadable), 0, how)
    expected = max(len(dataset.expected_sequences()), len(listed))
    share = dataset.params.ingest.max_bad
    bad = affected + len(unreadable) + len(missing)
    too_many = bad > int(share * expected) or (not opened_all and len(unreadable) > max(share * len(opened), 3))
    allowed = f"ingest.max_bad allows {int(share * expected)} of {expected}"
    named = [f"{source} ({problem})" for source, problem in sorted(damaged.items())] + sorted(unreadable)
    if named:
        # A zip that was cut off is a subject that is missing, however few that makes.
        stops = too_many or CUT_OFF in damaged.values()
        findings.judge(stops, f"{affected + len(unreadable)} recordings cannot be read, {allowed}: {some(named)}")
    if missing:
        findings.judge(
            too_many, f"{len(missing)} recordings are missing, {allowed}: {some(missing)}; complete the copy"
        )
    blank = [s for s in opened.values() if s.kind in NUMBERED and not s.problem and s.width is None]
    if blank:
        findings.judge(
            len(blank) > max(share * len(opened), 3) or len(blank) == len(opened),
            f"the first image cannot be decoded in {len(blank)} of {len(opened)} recordings opened: "
            f"{some([s.source if s.inside is None else f'{s.source}: {s.inside}' for s in blank])}; "
            "expected whole images; copy them again",
        )
