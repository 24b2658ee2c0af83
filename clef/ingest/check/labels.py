"""The labels of a copy: do they fit the recordings, and are there as many, and as often present, as published?"""

from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.base import Dataset
from clef.datasets.image_dataset import ImageDataset, UnlabelledError
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.ingest.check.recordings import Opened
from clef.ingest.check.report import Findings, Row, number_of
from clef.ingest.labels import coverage, most_first, off_by_one
from clef.recordings.sequence import NUMBERED, RecordedSequence
from clef.runtime.wording import some

if TYPE_CHECKING:
    import pandas as pd

NOT_CODED = 9
MOST_TOLD = 8
ROUNDING = 0.0006
"""Published shares have three digits."""
PART_OF_A_COPY = 0.02
"""By how much a share may differ where not all frames are there."""


def check_labels(
    dataset: Dataset, known: PublishedCounts | None, root: Path, opened: Opened, findings: Findings
) -> None:
    """Read all labels and set them against the recordings and the published counts.

    Args:
        dataset: The adapter.
        known: What is published of this packaging.
        root: The raw folder.
        opened: Every recording, and the frames of some.
        findings: To add to.
    """
    sequences = opened.sequences
    told = len(findings.problems)
    _check_unexpected_files(dataset, root, sequences, findings)
    labels, unread = _read(dataset, root, sequences, findings)
    if labels is None:
        return
    _check_once(labels, findings)
    _check_unlabelled(dataset, known, [s for s in sequences if s.sequence not in unread], labels, findings)
    _check_windows(dataset.params.ingest.overhang, sequences, labels, findings)
    _check_frames(dataset, opened, labels, findings)
    _count(dataset, known or PublishedCounts(source=""), sequences, labels, findings, len(findings.problems) > told)


def _check_unexpected_files(
    dataset: Dataset, root: Path, sequences: list[RecordedSequence], findings: Findings
) -> None:
    unexpected_files = dataset.unexpected_files(root, sequences)
    findings.count("copy", "files of no recording", len(unexpected_files), 0)
    if not unexpected_files:
        return
    images = len(unexpected_files) + len(sequences)
    allowed = int(dataset.params.ingest.max_bad * images)
    if dataset.all_labelled and len(unexpected_files) > allowed:
        findings.problems.append(
            f"{len(unexpected_files)} of {images} images have no label, ingest.max_bad allows {allowed}: "
            f"{some(unexpected_files)}; restore the whole list of labels"
        )
    else:
        belong = "file belongs" if len(unexpected_files) == 1 else "files belong"
        findings.remarks.append(f"{len(unexpected_files)} {belong} to no recording, not used: {some(unexpected_files)}")


def _read(
    dataset: Dataset, root: Path, sequences: list[RecordedSequence], findings: Findings
) -> "tuple[pd.DataFrame | None, set[str]]":
    """Labels of all recordings; after a mistake shard by shard, so that every broken file is named.

    Where only labels are missing, that is said once, and what is there is read.
    Also the recordings whose shard could not be read.
    """
    import pandas as pd

    try:
        strict = _allowing(0.0, dataset) if isinstance(dataset, ImageDataset) else dataset
        return strict.labels(root, sequences), set()
    except UnlabelledError as error:
        allowed = int(dataset.params.ingest.max_bad * error.images)
        said = str(UnlabelledError(root, error.unlabelled, error.images, allowed))
        findings.judge(len(error.unlabelled) > allowed, said)
        return _allowing(1.0, dataset).labels(root, sequences), set()
    except ClefError as error:
        first = str(error)
    tables, mistakes = [], [first]
    unread: set[str] = set()
    for shard in dataset.shards():
        own = [sequence for sequence in sequences if sequence.shard == shard]
        try:
            tables += [dataset.labels(root, own)] if own else []
        except ClefError as error:
            mistakes.append(str(error))
            unread |= {sequence.sequence for sequence in own}
    findings.problems += list(dict.fromkeys(mistakes))[:MOST_TOLD]
    return (pd.concat(tables, ignore_index=True) if tables else None), unread


def _allowing(max_bad: float, dataset: Dataset) -> Dataset:
    """The same adapter, which lets that share of the labels be missing."""
    ingest = dataset.params.ingest.model_copy(update={"max_bad": max_bad})
    return type(dataset)(dataset.params.model_copy(update={"ingest": ingest}))


def _check_once(labels: "pd.DataFrame", findings: Findings) -> None:
    twice = labels[labels.duplicated(["sequence", "frame"])]
    if len(twice):
        names = [f"{row.sequence} frame {row.frame}" for row in twice.head(9).itertuples()]
        findings.problems.append(f"{len(twice)} frames are labelled twice: {some(names)}; expected one label a frame")


def _check_unlabelled(
    dataset: Dataset,
    known: PublishedCounts | None,
    sequences: list[RecordedSequence],
    labels: "pd.DataFrame",
    findings: Findings,
) -> None:
    expected = dataset.labelled_sequences()
    labelled = set(labels["sequence"])
    published = known.labelled_sequences if known else None
    findings.count("labels", "labelled sequences", len(labelled), len(expected) or published)
    without = sorted(({sequence.sequence for sequence in sequences} & set(expected)) - labelled)
    if without:
        allowed = int(dataset.params.ingest.max_bad * len(expected))
        findings.judge(
            len(without) > allowed,
            f"{len(without)} of {number_of(len(expected), 'recording')} without labels, "
            f"ingest.max_bad allows {allowed}: {some(without)}; restore their files",
        )


def _check_windows(
    overhang: int, sequences: list[RecordedSequence], labels: "pd.DataFrame", findings: Findings
) -> None:
    """Labels of frames that a video does not have, of the videos that were opened."""
    videos = [s for s in sequences if s.kind == "video" and s.frames is not None and not s.problem]
    if not videos:
        return
    frames_of = dict(iter(labels.groupby("sequence")["frame"]))
    beyond, hanging = [], []
    for video in videos:
        if video.sequence not in frames_of:
            continue
        own = frames_of[video.sequence]
        first, last = int(own.min()), int(own.max())
        end = video.first_frame + (video.frames or 0) - 1
        if first < video.first_frame or last > end + overhang:
            beyond.append(f"{video.sequence} (frames {video.first_frame} to {end}, labels {first} to {last})")
        elif last > end:
            hanging.append(f"{video.sequence} ({(own > end).sum()})")
    findings.count("labels", "windows past the video's end", len(beyond), 0, f"of {len(videos)} videos opened")
    if beyond:
        findings.problems.append(
            f"labels lie outside of their video in {number_of(len(beyond), 'recording')}: {some(beyond)}; "
            "expected labels and frames of one recording; where videos are whole, raise ingest.overhang, which allows "
            f"{overhang} past the end"
        )
    if hanging:
        findings.remarks.append(
            f"labels reach past the end of their video in {number_of(len(hanging), 'recording')}, as ingest.overhang "
            f"allows; these frames count as not decodable: {some(hanging)}"
        )


def _check_frames(dataset: Dataset, opened: Opened, labels: "pd.DataFrame", findings: Findings) -> None:
    """Labelled frames without a picture, as the manifest will count them."""
    found = coverage(opened.sequences, labels, opened.frames)
    number = sum(found.lacking.values())
    if any(sequence.kind in NUMBERED for sequence in opened.sequences):
        findings.count(
            "labels", "labelled frames without an image", number, 0, f"in {found.labelled} labelled recordings opened"
        )
    lack = f"{number_of(number, 'labelled frame')} {'has' if number == 1 else 'have'} no image"
    max_bad = dataset.params.ingest.max_bad
    allowed = f"ingest.max_bad allows {int(max_bad * found.frames)} of {found.frames}"
    if found.shift is not None:
        findings.problems.append(off_by_one(found))
    elif found.scattered > max_bad * found.frames:
        findings.problems.append(
            f"{lack}, {allowed}: {some(found.worst)}; complete the copy, or raise it if these images were never written"
        )
    elif found.too_many(max_bad) and not opened.refused:
        findings.problems.append(
            f"{found.undecodable} frames have no picture, most of them in recordings that are missing or cannot be "
            f"read, {allowed}: {some(found.worst)}; complete the copy"
        )
    elif number:
        findings.remarks.append(
            f"{lack} (not written: face hidden?), they count as not decodable: {some(most_first(found.lacking))}"
        )


def _count(
    dataset: Dataset,
    known: PublishedCounts,
    sequences: list[RecordedSequence],
    labels: "pd.DataFrame",
    findings: Findings,
    incomplete: bool,
) -> None:
    """Set counts against the published ones.

    Args:
        dataset: The adapter.
        known: What is published.
        sequences: Every recording.
        labels: Of all of them.
        findings: To add to.
        incomplete: Whether it is told already that labels are missing: what follows from it is not told again.
    """
    findings.count("labels", "labelled frames", len(labels), known.labelled_frames)
    for by, expected in known.frames_by.items():
        names = _names_by(by, dataset, sequences)
        counts = labels["sequence"].map(names).value_counts()
        for name, number in expected.items():
            findings.count("labels", f"labelled frames of {by} {name}", int(counts.get(name, 0)), number)
    units = [name for name in labels.columns if name in dataset.label_names and name != "expression"]
    if units:
        _count_codes(dataset, known, units, labels, findings)
    classes = _classes(labels)
    if classes is not None:
        by_split = known.classes or dataset.params.folds.protocol == "official"
        split_of = {sequence.sequence: sequence.split if by_split else None for sequence in sequences}
        counts = classes.groupby([labels["sequence"].map(split_of).fillna("all"), classes]).size()
        _count_classes(dataset, known, counts, findings, incomplete)


def _names_by(by: str, dataset: Dataset, sequences: list[RecordedSequence]) -> dict[str, str | None]:
    """Activity, split, or part of the first partition, by sequence."""
    if by != "fold":
        return {sequence.sequence: getattr(sequence, by) for sequence in sequences}
    folds = next(iter(dataset.partitions.values()), [])
    part_of = {subject: f"P{number}" for number, subjects in enumerate(folds, start=1) for subject in subjects}
    return {sequence.sequence: part_of.get(sequence.subject or "") for sequence in sequences}


def _count_codes(
    dataset: Dataset, known: PublishedCounts, units: list[str], labels: "pd.DataFrame", findings: Findings
) -> None:
    """Uncodable frames, and the share of the others in which each action unit is present."""
    codes = labels[units].astype("Float32")
    codes = codes.where(codes != NOT_CODED)
    codable = codes.notna()
    uncodable = int((~codable).all(axis=1).sum())
    expected = known.uncodable_frames if known.labelled_frames is not None else None
    findings.count("labels", "uncodable frames", uncodable, expected)
    threshold = known.threshold if known.rates else dataset.params.labels.threshold
    wanted = [name for name in units if name in known.rates or name in dataset.params.labels.names]
    complete = len(labels) == known.labelled_frames and uncodable == known.uncodable_frames
    allowed = ROUNDING if complete else PART_OF_A_COPY
    for name in wanted:
        present = (codes[name] >= threshold).sum()
        share = float(present / codable[name].sum()) if codable[name].any() else 0.0
        published = known.rates.get(name)
        off = published is not None and abs(share - published) > allowed
        note = f"{100 * (share - published):+.1f} points" if off and published is not None else ""
        findings.rows.append(Row("rates", f"rate of {name}", share, published, off, note))


def _classes(labels: "pd.DataFrame") -> "pd.Series | None":
    """Class of each row; of votes, by majority."""
    if "expression" in labels:
        return labels["expression"]
    from clef.datasets.votes import classes, vote_columns

    return classes(labels, "majority") if vote_columns(labels.columns) else None


def _count_classes(
    dataset: Dataset, known: PublishedCounts, counts: "pd.Series", findings: Findings, incomplete: bool
) -> None:
    """Counts by split and class."""
    splits = sorted(known.classes) if known.classes else sorted({str(split) for split, _ in counts.index})
    wanted = dataset.params.labels.expressions
    if dataset.params.folds.protocol == "official":
        splits = sorted({*splits, "test", "train"})
    if not incomplete:
        _require_every_class(splits, wanted, known, counts, findings)
    for split in splits:
        published = known.classes.get(split, {})
        found = {str(name) for own, name in counts.index if own == split}
        for name in dict.fromkeys([*(published or wanted), *sorted(found)]):
            note = "" if name in wanted else "not a class of the run"
            findings.count("classes", f"{split} {name}", int(counts.get((split, name), 0)), published.get(name), note)


def _require_every_class(
    splits: list[str], wanted: list[str], known: PublishedCounts, counts: "pd.Series", findings: Findings
) -> None:
    """Every split has labels, and of every class that the run wants."""
    for split in splits:
        without = [name for name in wanted if not counts.get((split, name), 0)]
        where = f"the split {split}" if split != "all" else "the data set"
        published = sum(known.classes.get(split, {}).get(name, 0) for name in without)
        expected = f"; expected {published} images" if published else ""
        if without and len(without) == len(wanted):
            findings.problems.append(f"{where} has no labels of the run's classes{expected}; restore them")
        elif without:
            findings.problems.append(
                f"{where} has no labels of {some(without)}{expected}; restore them, or leave the class out"
            )
