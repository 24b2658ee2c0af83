"""Check the recordings of a copy: which subjects, how many, which are missing, and whether they can be opened."""

import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from clef.datasets.base import Dataset
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError, abbreviate
from clef.ingest.report import Report, plural
from clef.ingest.tables import RecordingTable, inspect_recordings
from clef.recordings.sequence import MISSING, NUMBERED, RecordedSequence

Item = TypeVar("Item")

OPENED = 400
"""Recordings that a quick check opens, at about ten milliseconds each."""
ZIPS_OPENED = 8
"""Zips whose recordings a quick check opens: every recording lists the images of its zip."""
SIZES_CHECKED = 5000
"""With more sources than this, only those that are opened are tested for size 0."""
LONGEST_ZIP_END = 2**16 + 200
"""Bytes of the end records of a zip file with the longest comment."""
CUT_OFF = "cut off: did copying it break off?"


@dataclass(frozen=True)
class RawCopy:
    """A copy that is checked."""

    dataset: Dataset
    root: Path
    published: PublishedCounts
    """Published counts that hold for this packaging and the run's subjects; empty if there are none."""
    report: Report
    """Receives the findings."""


def check_recordings(
    copy: RawCopy, full: bool, progress: Callable[[int, int], None] | None = None
) -> tuple[RecordingTable, list[RecordedSequence]]:
    """List the recordings, test all files quickly, and inspect all (`full`) or a sample.

    Returns:
        The table, and its recordings with the problems that the quick tests of the files found too.
    """
    dataset, root = copy.dataset, copy.root
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    problems = _test_files(copy, listed)
    present = [s for s in listed if problems.get(s.sequence) != MISSING]
    missing_subjects = _count_subjects(copy, present)
    missing = _count_sequences(copy, present, missing_subjects)
    sound = [s for s in present if s.sequence not in problems]
    sample = None if full else _sample(sound, set(dataset.labelled_sequences()))
    table = inspect_recordings(dataset, root, listed, sample, progress)
    sequences = [replace(s, problem=problems.get(s.sequence, s.problem)) for s in table.sequences]
    # Missing recordings that are expected, or whose subject is missing, are reported as such and not as unreadable.
    expected = set(dataset.expected_sequences())
    judged = [s for s in sequences if not (s.is_missing and (s.sequence in expected or s.subject in missing_subjects))]
    _judge_unreadable(copy, judged, table.opened - problems.keys(), missing)
    return table, sequences


def _sample(sequences: list[RecordedSequence], labelled: set[str]) -> list[RecordedSequence]:
    """Choose recordings to open, spread evenly. Outside zips, labelled ones come first because they show more."""
    zips = _spread(sorted({s.source for s in sequences if s.kind == "zip"}), ZIPS_OPENED)
    others = [s for s in sequences if s.kind != "zip"]
    first = _spread([s for s in others if s.sequence in labelled], OPENED)
    rest = _spread([s for s in others if s.sequence not in labelled], OPENED - len(first))
    return [s for s in sequences if s.source in zips] + first + rest


def _spread(items: list[Item], most: int) -> list[Item]:
    return items if len(items) <= most else [items[number * len(items) // most] for number in range(most)]


def _test_files(copy: RawCopy, listed: list[RecordedSequence]) -> dict[str, str]:
    """Return problems that show without opening a recording, by its name."""
    sources = sorted({sequence.source for sequence in listed})
    zips = {sequence.source for sequence in listed if sequence.kind == "zip"}
    names_in: dict[Path, set[str]] = {}
    damaged = {}
    for source in sources:
        path = copy.root / source
        if path.parent not in names_in:  # one listing per folder instead of one query per file: there may be 300,000
            names_in[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in names_in[path.parent]:
            damaged[source] = MISSING
        elif len(sources) <= SIZES_CHECKED and path.is_file() and not path.stat().st_size:
            damaged[source] = "empty"
        elif source in zips and not zipfile.is_zipfile(path):
            damaged[source] = f"not a whole zip file; {CUT_OFF}"
        elif path.suffix.lower() == ".avi" and _is_cut_off(path):
            damaged[source] = CUT_OFF
    problems = {s.sequence: damaged[s.source] for s in listed if s.source in damaged}
    directory, last = b"", ""
    for s in sorted((s for s in listed if s.kind == "zip" and s.source not in damaged), key=lambda s: s.source):
        if s.source != last:
            directory, last = _zip_directory(copy.root / s.source), s.source
        if not any(f"{s.inside}/".replace("/", separator).encode() in directory for separator in ("/", "\\")):
            problems[s.sequence] = MISSING
    return problems


def _zip_directory(path: Path) -> bytes:
    """Read the table of contents of a zip file. Parsing those of BP4D+, with four million names, takes too long.

    Its size is in the end record, or in that of zip64 (PKWARE's APPNOTE.TXT, sections 4.3.16 and 4.3.14).
    """
    before_end = max(0, path.stat().st_size - LONGEST_ZIP_END)
    with path.open("rb") as file:
        file.seek(before_end)
        end = file.read()
        size = int.from_bytes(end[end.rfind(b"PK\5\6") :][12:16], "little")
        if size == 2**32 - 1:
            size = int.from_bytes(end[end.rfind(b"PK\6\6") :][40:48], "little")
        file.seek(max(0, before_end - size))
        return file.read()


def _is_cut_off(avi: Path) -> bool:
    """Return whether an AVI file is shorter than its header says. Its first frames could still be read."""
    try:
        with avi.open("rb") as file:
            form, length = file.read(4), int.from_bytes(file.read(4), "little")
    except OSError:
        return False  # reported when the file is opened
    unknown = 2**32 - 8  # written by programs that do not know the length
    return form == b"RIFF" and avi.stat().st_size < 8 + length < unknown


def _count_subjects(copy: RawCopy, present: list[RecordedSequence]) -> list[str]:
    """Count subjects and return the missing ones."""
    expected = set(copy.dataset.subjects())
    if not expected:
        return []
    found = {sequence.subject for sequence in present if sequence.subject is not None}
    total = copy.published.subjects
    selected = f"the run uses these of the set's {total}" if total not in (None, len(expected)) else ""
    copy.report.count("copy", "subjects", len(found & expected), len(expected), selected)
    missing = sorted(expected - found)
    if missing:
        names = abbreviate(missing)
        copy.report.problem(f"no recordings of {len(missing)} of {len(expected)} subjects: {names}; complete the copy")
    return missing


def _count_sequences(copy: RawCopy, present: list[RecordedSequence], missing_subjects: list[str]) -> list[str]:
    """Count recordings and return the missing ones, except those of missing subjects."""
    expected = set(copy.dataset.expected_sequences())
    names = {sequence.sequence for sequence in present}
    number = len(expected) or copy.published.sequences
    missing = sorted(expected - names)
    excused = {name: why for name, why in copy.published.known_missing.items() if name in missing}
    copy.report.count("copy", "sequences", len(names), number and number - len(excused))
    if expected:
        note = f"without {abbreviate([f'{name} ({why})' for name, why in excused.items()])}" if excused else ""
        copy.report.count("copy", "missing sequences", len(missing) - len(excused), 0, note)
    return [name for name in missing if not any(name == s or name.startswith(f"{s}_") for s in missing_subjects)]


def _judge_unreadable(copy: RawCopy, judged: list[RecordedSequence], opened: set[str], missing: list[str]) -> None:
    """Report recordings that cannot be read and names of missing ones. `judged` has all others, with their problems."""
    report, max_bad = copy.report, copy.dataset.params.ingest.max_bad
    tested = [sequence for sequence in judged if sequence.sequence in opened]
    unreadable = [sequence for sequence in tested if sequence.problem]
    damaged = [sequence for sequence in judged if sequence.problem and sequence.sequence not in opened]
    number = len(damaged) + len(unreadable)
    all_opened = len(tested) + len(damaged) == len(judged)
    how = "all were opened" if all_opened else f"{len(tested)} of {len(judged)} were opened"
    report.count("copy", "unreadable recordings", number, 0, how)
    expected = max(len(copy.dataset.expected_sequences()), len(judged))
    allowed = f"ingest.max_bad allows {int(max_bad * expected)} of {expected}"
    too_many = number + len(missing) > int(max_bad * expected)
    too_many |= not all_opened and len(unreadable) > max(max_bad * len(tested), 3)
    if number:
        # A zip without any readable recording is a missing subject, however few recordings that makes.
        zips = {sequence.source for sequence in judged if sequence.kind == "zip"}
        stops = too_many or bool(zips - {sequence.source for sequence in judged if not sequence.problem})
        named = sorted({f"{sequence.source} ({sequence.problem})" for sequence in damaged})
        # Without the advice in each problem: the message ends with one for all.
        named += sorted(f"{s.location} ({re.split('; (?:expected|convert)', s.problem or '')[0]})" for s in unreadable)
        formats = sum("; convert it" in (s.problem or "") for s in unreadable)
        advice = ["copy them again"] * (number > formats) + ["convert those in another format"] * (formats > 0)
        what = f"{plural(number, 'recording')} cannot be read"
        report.judge(stops, f"{what}, {allowed}: {abbreviate(named)}; {' or '.join(advice)}")
    if missing:
        what = f"{plural(len(missing), 'recording')} {'is' if len(missing) == 1 else 'are'} missing"
        report.judge(too_many, f"{what}, {allowed}: {abbreviate(missing)}; complete the copy")
    undecodable = [s.location for s in tested if s.kind in NUMBERED and not s.problem and s.width is None]
    if undecodable:
        report.judge(
            len(undecodable) > max(max_bad * len(tested), 3) or len(undecodable) == len(tested),
            f"the first image cannot be decoded in {len(undecodable)} of {len(tested)} recordings opened: "
            f"{abbreviate(undecodable)}; expected whole images; copy them again",
        )
