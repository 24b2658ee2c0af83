"""The recordings of a copy: whose, how many, which are missing, and whether they can be opened."""

import os
import zipfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clef.checking.report import Findings, number_of, some
from clef.datasets.base import NUMBERED, Dataset, Sequence
from clef.datasets.known import Known
from clef.errors import ClefError
from clef.faces.frames import inspect, inspect_numbered
from clef.zip_contents import folders_of_images, is_inside

Item = TypeVar("Item")

OPENED = 400
"""Recordings that are opened, of however many: at some ten milliseconds each. Of two thousand zipped ones that is too
many, since the images of each zip have to be listed; which recordings lie in a zip is asked of all."""
ZIPS_OPENED = 8
ZIPS_AT_ONCE = 4
SIZES_ASKED = 5000
"""Sources whose size is asked; of more than that, of those opened only."""

NO_ZIP = "not a whole zip file"
EMPTY, MISSING, CUT_OFF = "empty", "missing", "cut off: did copying it break off?"
AVI_OPEN = 2**32 - 8
"""Length in the header of an AVI file whose writer did not know it."""


@dataclass(frozen=True)
class Opened:
    """The recordings of a copy, some of which were opened."""

    sequences: list[Sequence]
    """All; those that were opened with their facts."""
    frames: dict[str, set[int]]
    """Frames that there are images of, by name of each opened recording of numbered images."""


def check_recordings(
    dataset: Dataset,
    known: Known | None,
    root: Path,
    findings: Findings,
    progress: Callable[[int, int], None] | None = None,
) -> Opened:
    """List the recordings, test all of them cheaply and open some.

    Args:
        dataset: The adapter.
        known: What is published of this packaging.
        root: The raw folder.
        findings: To add to.
        progress: Called with recordings opened and to be opened.

    Raises:
        ClefError: There is nothing that could be listed.
    """
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    damaged = _test_all(root, listed)
    absent = _absent_in_zips(root, listed, damaged, findings) | _not_there(dataset, listed, damaged)
    damaged = {source: problem for source, problem in damaged.items() if source not in _sources(listed, absent)}
    there = [sequence for sequence in listed if sequence.sequence not in absent]
    nobody = _count_subjects(dataset, known, there, findings)
    missing = _count_sequences(dataset, known, there, nobody, findings)
    sample = _sample([sequence for sequence in there if sequence.source not in damaged])
    opened: dict[str, Sequence] = {}
    frames: dict[str, set[int]] = {}
    for done, sequence in enumerate(sample, start=1):
        if sequence.kind in NUMBERED:
            opened[sequence.sequence], numbers = inspect_numbered(root, sequence)
            frames[sequence.sequence] = set(numbers)
        else:
            opened[sequence.sequence] = inspect(root, sequence)
        if progress is not None:
            progress(done, len(sample))
    unreadable = [f"{sequence.source} ({sequence.problem})" for sequence in opened.values() if sequence.problem]
    _count_unreadable(dataset, there, missing, damaged, opened, unreadable, findings)
    return Opened([opened.get(sequence.sequence, sequence) for sequence in there], frames)


def _not_there(dataset: Dataset, listed: list[Sequence], damaged: dict[str, str]) -> set[str]:
    """Names of recordings that are listed for their labels alone."""
    expected = set(dataset.expected_sequences())
    return {s.sequence for s in listed if s.sequence in expected and damaged.get(s.source) == MISSING}


def _sources(listed: list[Sequence], names: set[str]) -> set[str]:
    """Where these lie, of what is a source by itself; a zip has others in it."""
    return {sequence.source for sequence in listed if sequence.sequence in names and sequence.kind != "zip"}


def _absent_in_zips(root: Path, listed: list[Sequence], damaged: dict[str, str], findings: Findings) -> set[str]:
    """Names of recordings that their zip does not hold: every zip's list of contents is read."""
    sources = sorted({s.source for s in listed if s.kind == "zip"} - damaged.keys())
    if not sources:
        return set()

    def read(source: str) -> set[str] | str:
        try:
            return folders_of_images(root / source)
        except ClefError as error:
            return str(error).removeprefix(f"{root / source}: ")

    with ThreadPoolExecutor(ZIPS_AT_ONCE) as threads:
        folders = dict(zip(sources, threads.map(read, sources), strict=True))
    damaged |= {source: found for source, found in folders.items() if isinstance(found, str)}
    zips = {s.source for s in listed if s.kind == "zip"}
    whole = {source: found for source, found in folders.items() if not isinstance(found, str)}
    findings.count("copy", "zips whose list of contents was read", len(whole), len(zips))
    return {s.sequence for s in listed if s.source in whole and not is_inside(whole[s.source], s.inside or "")}


def _count_subjects(dataset: Dataset, known: Known | None, listed: list[Sequence], findings: Findings) -> list[str]:
    """Count people; those who are missing."""
    expected = set(dataset.subjects())
    if not expected:
        return []
    found = {sequence.subject for sequence in listed if sequence.subject is not None}
    everybody = known.subjects if known else None
    chosen = f"the run takes these of the set's {everybody}" if everybody not in (None, len(expected)) else ""
    findings.count("copy", "subjects", len(found & expected), len(expected), chosen)
    missing = sorted(expected - found)
    if missing:
        findings.problems.append(
            f"no recordings of {len(missing)} of {len(expected)} subjects: {some(missing)}; complete the copy"
        )
    return missing


def _count_sequences(
    dataset: Dataset, known: Known | None, listed: list[Sequence], nobody: list[str], findings: Findings
) -> list[str]:
    """Count recordings; the names of those missing, but for people of whom there is none: they are told already."""
    expected = set(dataset.expected_sequences())
    names = {sequence.sequence for sequence in listed}
    number: int | None = len(expected)
    if not expected:
        number = known.sequences if known else None
    findings.count("copy", "sequences", len(names), number)
    missing = sorted(expected - names)
    if expected:
        findings.count("copy", "missing sequences", len(missing), 0)
    return [name for name in missing if not any(name == one or name.startswith(f"{one}_") for one in nobody)]


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
            damaged[source] = f"{NO_ZIP}; {CUT_OFF}"
        elif path.suffix.lower() == ".avi" and _is_cut_off(path):
            damaged[source] = CUT_OFF
    return damaged


def _is_cut_off(avi: Path) -> bool:
    """Whether an AVI file is shorter than its header says; its first frames would still be read."""
    try:
        with avi.open("rb") as file:
            form, length = file.read(4), int.from_bytes(file.read(4), "little")
    except OSError:
        return False  # said where it is opened
    return form == b"RIFF" and avi.stat().st_size < 8 + length < AVI_OPEN


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
        stops = too_many or any(problem.startswith(NO_ZIP) for problem in damaged.values())
        unread = number_of(affected + len(unreadable), "recording")
        findings.judge(stops, f"{unread} cannot be read, {allowed}: {some(named)}; copy them again")
    if missing:
        lack = f"{number_of(len(missing), 'recording')} {'is' if len(missing) == 1 else 'are'} missing"
        findings.judge(too_many, f"{lack}, {allowed}: {some(missing)}; complete the copy")
    blank = [s for s in opened.values() if s.kind in NUMBERED and not s.problem and s.width is None]
    if blank:
        findings.judge(
            len(blank) > max(share * len(opened), 3) or len(blank) == len(opened),
            f"the first image cannot be decoded in {len(blank)} of {len(opened)} recordings opened: "
            f"{some([s.source if s.inside is None else f'{s.source}: {s.inside}' for s in blank])}; "
            "expected whole images; copy them again",
        )
