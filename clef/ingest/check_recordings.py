"""Check the recordings of a copy: which subjects, how many, which are missing, and whether they can be opened."""

import os
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from clef.datasets.base import Dataset
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.ingest.report import Report, plural
from clef.recordings.frames import inspect_numbered, inspect_sequence
from clef.recordings.numbered_images import matching_folders, zipped_folders
from clef.recordings.sequence import MISSING, NUMBERED, RecordedSequence
from clef.runtime.wording import abbreviate

Item = TypeVar("Item")

OPENED = 400
"""Recordings that a quick check opens, at about ten milliseconds each."""
ZIPS_OPENED = 8
"""Zips whose recordings a quick check opens: every recording lists the images of its zip."""
IMAGES_DECODED = 2000
"""Single images that a full inventory decodes at least. Of the others it reads only the size: cropping decodes all."""
SIZES_CHECKED = 5000
"""With more sources than this, only those that are opened are tested for size 0."""

EMPTY, CUT_OFF = "empty", "cut off: did copying it break off?"
AVI_UNKNOWN_LENGTH = 2**32 - 8
"""Length in the header of an AVI file whose writer did not know it."""


@dataclass(frozen=True)
class CheckedRecordings:
    """The recordings of a copy."""

    sequences: list[RecordedSequence]
    """All recordings, also missing ones that have labels, with their problems; the inspected ones with their facts."""
    inspected: dict[str, RecordedSequence]
    """Inspected recordings by name, without the problems that only the quick tests of the files find."""
    images: dict[str, np.ndarray]
    """Frame numbers of the images, by name of each inspected recording of numbered images."""


def check_recordings(
    dataset: Dataset,
    published: PublishedCounts | None,
    root: Path,
    report: Report,
    full: bool,
    progress: Callable[[int, int], None] | None = None,
) -> CheckedRecordings:
    """List the recordings, test all files quickly, and inspect some or all.

    Args:
        dataset: The adapter.
        published: Published counts of this packaging.
        root: The raw folder.
        report: Receives the findings.
        full: Inspect every recording, otherwise a sample.
        progress: Called with recordings inspected and recordings to inspect.

    Raises:
        ClefError: There are no recordings.
    """
    listed = dataset.sequences(root)
    if not listed:
        raise ClefError(f"{root}: no recordings of {dataset.name} found; put or link the raw data there")
    problems = _test_files(root, listed, report)
    missing_listed = {name for name, problem in problems.items() if problem == MISSING}
    present = [s for s in listed if s.sequence not in missing_listed]
    missing_subjects = _count_subjects(dataset, published, present, report)
    missing = _count_sequences(dataset, published, present, missing_subjects, report)
    sound = [s for s in present if s.sequence not in problems]
    sample = listed if full else _sample(sound, set(dataset.labelled_sequences()))
    decoded = _decoded(sample) if full else {sequence.sequence for sequence in sample}
    inspected, images = _inspect(root, sample, decoded, full, progress)
    sequences = [_with_problem(inspected.get(s.sequence, s), problems.get(s.sequence)) for s in listed]
    if unlisted := dataset.missing_recordings(root):
        sequences = sorted([*sequences, *unlisted], key=lambda s: (s.shard, s.sequence))
    opened = [
        sequence
        for name, sequence in inspected.items()
        if name not in problems and (name in decoded or not sequence.is_single_image)
    ]
    # Missing recordings that are expected, or whose subject is missing, are reported as such and not as unreadable.
    expected = set(dataset.expected_sequences())
    judged = [s for s in sequences if not (s.is_missing and (s.sequence in expected or s.subject in missing_subjects))]
    _judge_unreadable(dataset, judged, opened, missing, report)
    return CheckedRecordings(sequences, inspected, images)


def _with_problem(sequence: RecordedSequence, problem: str | None) -> RecordedSequence:
    return sequence if problem is None else replace(sequence, problem=problem)


def _inspect(
    root: Path,
    sample: list[RecordedSequence],
    decoded: set[str],
    full: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, RecordedSequence], dict[str, np.ndarray]]:
    inspected: dict[str, RecordedSequence] = {}
    images: dict[str, np.ndarray] = {}
    for done, sequence in enumerate(sample, start=1):
        name = sequence.sequence
        if sequence.kind in NUMBERED:
            inspected[name], numbers = inspect_numbered(root, sequence, sizes=full)
            images[name] = np.array(numbers, dtype=np.int64)  # a copy may have millions
        else:
            inspected[name] = inspect_sequence(root, sequence, decode=name in decoded)
        if progress is not None:
            progress(done, len(sample))
    return inspected, images


def _decoded(listed: list[RecordedSequence]) -> set[str]:
    """Names of the single images that a full inventory decodes, spread evenly."""
    images = [sequence.sequence for sequence in listed if sequence.is_single_image]
    return set(images[:: max(1, len(images) // IMAGES_DECODED)])


def _test_files(root: Path, listed: list[RecordedSequence], report: Report) -> dict[str, str]:
    """Return problems that show without opening a recording, by its name."""
    sources = sorted({sequence.source for sequence in listed})
    zips = {sequence.source for sequence in listed if sequence.kind == "zip"}
    names_in: dict[Path, set[str]] = {}
    damaged = {}
    for source in sources:
        path = root / source
        if path.parent not in names_in:  # one listing per folder instead of one query per file: there may be 300,000
            names_in[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in names_in[path.parent]:
            damaged[source] = MISSING
        elif len(sources) <= SIZES_CHECKED and path.is_file() and not path.stat().st_size:
            damaged[source] = EMPTY
        elif source in zips and not zipfile.is_zipfile(path):
            damaged[source] = f"not a whole zip file; {CUT_OFF}"
        elif path.suffix.lower() == ".avi" and _is_cut_off(path):
            damaged[source] = CUT_OFF
    folders = _list_zips(root, sorted(zips - damaged.keys()), damaged)
    if zips:
        report.count("copy", "zips whose list of contents was read", len(folders), len(zips))
    problems = {s.sequence: damaged[s.source] for s in listed if s.source in damaged}
    for s in listed:
        if s.source in folders and not matching_folders(folders[s.source], s.inside or ""):
            problems[s.sequence] = MISSING
    return problems


def _is_cut_off(avi: Path) -> bool:
    """Return whether an AVI file is shorter than its header says. Its first frames could still be read."""
    try:
        with avi.open("rb") as file:
            form, length = file.read(4), int.from_bytes(file.read(4), "little")
    except OSError:
        return False  # reported when the file is opened
    return form == b"RIFF" and avi.stat().st_size < 8 + length < AVI_UNKNOWN_LENGTH


def _list_zips(root: Path, sources: list[str], damaged: dict[str, str]) -> dict[str, set[str]]:
    """Return the folders with images in each zip, and add zips that cannot be read to `damaged`."""
    folders = {}
    for source in sources:
        try:
            folders[source] = set(zipped_folders(root / source))
        except ClefError as error:
            damaged[source] = str(error).removeprefix(f"{root / source}: ")
    return folders


def _count_subjects(
    dataset: Dataset, published: PublishedCounts | None, present: list[RecordedSequence], report: Report
) -> list[str]:
    """Count subjects and return the missing ones."""
    expected = set(dataset.subjects())
    if not expected:
        return []
    found = {sequence.subject for sequence in present if sequence.subject is not None}
    total = published.subjects if published else None
    selected = f"the run uses these of the set's {total}" if total not in (None, len(expected)) else ""
    report.count("copy", "subjects", len(found & expected), len(expected), selected)
    missing = sorted(expected - found)
    if missing:
        report.problem(
            f"no recordings of {len(missing)} of {len(expected)} subjects: {abbreviate(missing)}; complete the copy"
        )
    return missing


def _count_sequences(
    dataset: Dataset,
    published: PublishedCounts | None,
    present: list[RecordedSequence],
    missing_subjects: list[str],
    report: Report,
) -> list[str]:
    """Count recordings and return the missing ones, except those of missing subjects."""
    expected = set(dataset.expected_sequences())
    names = {sequence.sequence for sequence in present}
    number = len(expected) or (published.sequences if published else None)
    missing = sorted(expected - names)
    known = published.known_missing if published else {}
    excused = {name: known[name] for name in missing if name in known}
    report.count("copy", "sequences", len(names), number and number - len(excused))
    if expected:
        note = f"without {abbreviate([f'{name} ({reason})' for name, reason in excused.items()])}" if excused else ""
        report.count("copy", "missing sequences", len(missing) - len(excused), 0, note)
    return [name for name in missing if not any(name == s or name.startswith(f"{s}_") for s in missing_subjects)]


def _sample(sequences: list[RecordedSequence], labelled: set[str]) -> list[RecordedSequence]:
    """Choose recordings to open, spread evenly. Outside zips, labelled ones come first because they show more."""
    by_zip: dict[str, list[RecordedSequence]] = defaultdict(list)
    others: list[RecordedSequence] = []
    for sequence in sequences:
        (by_zip[sequence.source] if sequence.kind == "zip" else others).append(sequence)
    zipped = [sequence for source in _spread(sorted(by_zip), ZIPS_OPENED) for sequence in by_zip[source]]
    first = _spread([sequence for sequence in others if sequence.sequence in labelled], OPENED)
    rest = _spread([sequence for sequence in others if sequence.sequence not in labelled], OPENED - len(first))
    return zipped + sorted([*first, *rest], key=lambda sequence: sequence.sequence)


def _spread(items: list[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


def _judge_unreadable(
    dataset: Dataset,
    judged: list[RecordedSequence],
    opened: list[RecordedSequence],
    missing: list[str],
    report: Report,
) -> None:
    """Report recordings that cannot be read, and missing ones.

    Args:
        dataset: The adapter.
        judged: All recordings but the missing ones, with their problems.
        opened: Those that were opened.
        missing: Names of the missing ones.
        report: Receives the findings.
    """
    unreadable = [sequence for sequence in opened if sequence.problem]
    names = {sequence.sequence for sequence in opened}
    damaged = [sequence for sequence in judged if sequence.problem and sequence.sequence not in names]
    all_opened = len(opened) + len(damaged) == len(judged)
    how = "all were opened" if all_opened else f"{len(opened)} of {len(judged)} were opened"
    number = len(damaged) + len(unreadable)
    report.count("copy", "unreadable recordings", number, 0, how)
    expected = max(len(dataset.expected_sequences()), len(judged))
    max_bad = dataset.params.ingest.max_bad
    too_many = number + len(missing) > int(max_bad * expected)
    too_many |= not all_opened and len(unreadable) > max(max_bad * len(opened), 3)
    allowed = f"ingest.max_bad allows {int(max_bad * expected)} of {expected}"
    if number:
        # A zip without any readable recording is a missing subject, however few recordings that makes.
        zips = {sequence.source for sequence in judged if sequence.kind == "zip"}
        stops = too_many or bool(zips - {sequence.source for sequence in judged if not sequence.problem})
        named = sorted({f"{sequence.source} ({sequence.problem})" for sequence in damaged})
        # Without the advice in each problem: the message ends with one for all.
        named += sorted(f"{s.location} ({(s.problem or '').partition('; expected')[0]})" for s in unreadable)
        report.judge(
            stops, f"{plural(number, 'recording')} cannot be read, {allowed}: {abbreviate(named)}; copy them again"
        )
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        report.judge(
            too_many,
            f"{plural(len(missing), 'recording')} {verb} missing, {allowed}: {abbreviate(missing)}; complete the copy",
        )
    undecodable = [s for s in opened if s.kind in NUMBERED and not s.problem and s.width is None]
    if undecodable:
        report.judge(
            len(undecodable) > max(max_bad * len(opened), 3) or len(undecodable) == len(opened),
            f"the first image cannot be decoded in {len(undecodable)} of {len(opened)} recordings opened: "
            f"{abbreviate([sequence.location for sequence in undecodable])}; expected whole images; copy them again",
        )
