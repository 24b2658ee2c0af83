"""The recordings of a copy: whose, how many, which are missing, and whether they can be opened."""

import os
import zipfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from clef.datasets.base import Dataset
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.ingest.check.report import Findings, number_of
from clef.recordings.frames import inspect_numbered, inspect_sequence
from clef.recordings.numbered_images import matching_folders, zipped_folders
from clef.recordings.sequence import MISSING, NUMBERED, RecordedSequence
from clef.runtime.wording import abbreviate

Item = TypeVar("Item")

OPENED = 400
"""Recordings that are opened, of however many: at some ten milliseconds each. Of two thousand zipped ones that is too
many, since the images of each zip have to be listed; which recordings lie in a zip is asked of all."""
ZIPS_OPENED = 8
ZIPS_AT_ONCE = 4
SIZES_ASKED = 5000
"""Sources whose size is asked; of more than that, of those opened only."""

NO_ZIP = "not a whole zip file"
EMPTY, CUT_OFF = "empty", "cut off: did copying it break off?"
AVI_OPEN = 2**32 - 8
"""Length in the header of an AVI file whose writer did not know it."""


@dataclass(frozen=True)
class Opened:
    """The recordings of a copy, some of which were opened."""

    sequences: list[RecordedSequence]
    """All, those too that are not there and have labels; those that were opened with their facts."""
    frames: dict[str, set[int]]
    """Frames that there are images of, by name of each opened recording of numbered images."""
    refused: bool
    """Whether so many are missing or cannot be read that it is told already."""


def check_recordings(
    dataset: Dataset,
    known: PublishedCounts | None,
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
    listed = [*_with_problems(root, listed, damaged, findings), *dataset.missing_recordings(root)]
    there = [sequence for sequence in listed if not sequence.is_missing]
    nobody = _count_subjects(dataset, known, there, findings)
    missing = _count_sequences(dataset, known, there, nobody, findings)
    sample = _sample([s for s in there if not s.problem], set(dataset.labelled_sequences()))
    opened: dict[str, RecordedSequence] = {}
    frames: dict[str, set[int]] = {}
    for done, sequence in enumerate(sample, start=1):
        if sequence.kind in NUMBERED:
            opened[sequence.sequence], numbers = inspect_numbered(root, sequence, sizes=False)
            frames[sequence.sequence] = set(numbers)
        else:
            opened[sequence.sequence] = inspect_sequence(root, sequence)
        if progress is not None:
            progress(done, len(sample))
    expected = set(dataset.expected_sequences())
    listed = [opened.get(sequence.sequence, sequence) for sequence in listed]
    # Of those that are not there, the expected ones are told as missing, and all of a person by that name.
    judged = [s for s in listed if not (s.is_missing and (s.sequence in expected or s.subject in nobody))]
    _count_unreadable(dataset, judged, opened, missing, findings)
    return Opened(listed, frames, bool(findings.problems))


def _with_problems(
    root: Path, listed: list[RecordedSequence], damaged: dict[str, str], findings: Findings
) -> list[RecordedSequence]:
    """The same recordings, each with what is wrong with it."""
    absent = _absent_in_zips(root, listed, damaged, findings)
    problems = [MISSING if s.sequence in absent else damaged.get(s.source) for s in listed]
    return [
        sequence if problem is None else replace(sequence, problem=problem)
        for sequence, problem in zip(listed, problems, strict=True)
    ]


def _absent_in_zips(
    root: Path, listed: list[RecordedSequence], damaged: dict[str, str], findings: Findings
) -> set[str]:
    """Names of recordings that their zip does not hold: every zip's list of contents is read."""
    sources = sorted({s.source for s in listed if s.kind == "zip"} - damaged.keys())
    if not sources:
        return set()

    def read(source: str) -> set[str] | str:
        try:
            return set(zipped_folders(root / source))
        except ClefError as error:
            return str(error).removeprefix(f"{root / source}: ")

    with ThreadPoolExecutor(ZIPS_AT_ONCE) as threads:
        folders = dict(zip(sources, threads.map(read, sources), strict=True))
    damaged |= {source: found for source, found in folders.items() if isinstance(found, str)}
    zips = {s.source for s in listed if s.kind == "zip"}
    whole = {source: found for source, found in folders.items() if not isinstance(found, str)}
    findings.count("copy", "zips whose list of contents was read", len(whole), len(zips))
    return {s.sequence for s in listed if s.source in whole and not matching_folders(whole[s.source], s.inside or "")}


def _count_subjects(
    dataset: Dataset, known: PublishedCounts | None, listed: list[RecordedSequence], findings: Findings
) -> list[str]:
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
            f"no recordings of {len(missing)} of {len(expected)} subjects: {abbreviate(missing)}; complete the copy"
        )
    return missing


def _count_sequences(
    dataset: Dataset,
    known: PublishedCounts | None,
    listed: list[RecordedSequence],
    nobody: list[str],
    findings: Findings,
) -> list[str]:
    """Count recordings; the names of those missing, but for people of whom there is none: they are told already."""
    expected = set(dataset.expected_sequences())
    names = {sequence.sequence for sequence in listed}
    number: int | None = len(expected)
    if not expected:
        number = known.sequences if known else None
    missing = sorted(expected - names)
    holes = [name for name in missing if known and name in known.known_missing]
    findings.count("copy", "sequences", len(names), number and number - len(holes))
    if expected:
        note = f"without {abbreviate([f'{name} ({known.known_missing[name]})' for name in holes])}" if known and holes else ""
        findings.count("copy", "missing sequences", len(missing) - len(holes), 0, note)
    return [name for name in missing if not any(name == one or name.startswith(f"{one}_") for one in nobody)]


def _test_all(root: Path, listed: list[RecordedSequence]) -> dict[str, str]:
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


def _sample(sequences: list[RecordedSequence], labelled: set[str]) -> list[RecordedSequence]:
    """Recordings to open, taken evenly; of those outside of zips first the ones with labels, which say more."""
    by_zip: dict[str, list[RecordedSequence]] = defaultdict(list)
    others = []
    for sequence in sequences:
        if sequence.kind == "zip":
            by_zip[sequence.source].append(sequence)
        else:
            others.append(sequence)
    zipped = [sequence for source in _evenly(sorted(by_zip), ZIPS_OPENED) for sequence in by_zip[source]]
    first = _evenly([sequence for sequence in others if sequence.sequence in labelled], OPENED)
    rest = _evenly([sequence for sequence in others if sequence.sequence not in labelled], OPENED - len(first))
    return zipped + sorted([*first, *rest], key=lambda sequence: sequence.sequence)


def _evenly(items: list[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


def _count_unreadable(
    dataset: Dataset,
    listed: list[RecordedSequence],
    opened: dict[str, RecordedSequence],
    missing: list[str],
    findings: Findings,
) -> None:
    """Say which recordings cannot be read, and which are missing.

    Args:
        dataset: The adapter.
        listed: All but the missing ones, each with what is wrong with it.
        opened: Those of them that were opened.
        missing: Names of those that are not there.
        findings: To add to.
    """
    unreadable = [sequence for sequence in opened.values() if sequence.problem]
    damaged = [sequence for sequence in listed if sequence.problem and sequence.sequence not in opened]
    opened_all = len(opened) + len(damaged) == len(listed)
    how = "all were opened" if opened_all else f"{len(opened)} of {len(listed)} were opened"
    number = len(damaged) + len(unreadable)
    findings.count("copy", "unreadable recordings", number, 0, how)
    expected = max(len(dataset.expected_sequences()), len(listed))
    share = dataset.params.ingest.max_bad
    too_many = number + len(missing) > int(share * expected)
    too_many |= not opened_all and len(unreadable) > max(share * len(opened), 3)
    allowed = f"ingest.max_bad allows {int(share * expected)} of {expected}"
    if number:
        # A zip that was cut off is a subject that is missing, however few that makes.
        stops = too_many or any((sequence.problem or "").startswith(NO_ZIP) for sequence in damaged)
        named = sorted({f"{sequence.source} ({sequence.problem})" for sequence in damaged})
        # What one is to do about it is said once, of all.
        named += sorted(f"{s.location} ({(s.problem or '').partition('; expected')[0]})" for s in unreadable)
        unread = number_of(number, "recording")
        findings.judge(stops, f"{unread} cannot be read, {allowed}: {abbreviate(named)}; copy them again")
    if missing:
        lack = f"{number_of(len(missing), 'recording')} {'is' if len(missing) == 1 else 'are'} missing"
        findings.judge(too_many, f"{lack}, {allowed}: {abbreviate(missing)}; complete the copy")
    _count_blank(opened, share, findings)


def _count_blank(opened: dict[str, RecordedSequence], share: float, findings: Findings) -> None:
    """Say which recordings of images begin with one that cannot be decoded."""
    blank = [s for s in opened.values() if s.kind in NUMBERED and not s.problem and s.width is None]
    if blank:
        findings.judge(
            len(blank) > max(share * len(opened), 3) or len(blank) == len(opened),
            f"the first image cannot be decoded in {len(blank)} of {len(opened)} recordings opened: "
            f"{abbreviate([sequence.location for sequence in blank])}; expected whole images; copy them again",
        )
