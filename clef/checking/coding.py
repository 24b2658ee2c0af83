"""The labels of a copy: do they fit the recordings, and are there as many, and as often present, as published?"""

from pathlib import Path
from typing import TYPE_CHECKING

from clef.checking.report import MOST_NAMED, Findings, Row, some
from clef.datasets.base import NUMBERED, Dataset, Sequence
from clef.datasets.known import Known
from clef.errors import ClefError
from clef.numbered import numbered_images, zipped_images

if TYPE_CHECKING:
    import pandas as pd

NOT_CODED = 9
ROUNDING = 0.0006
"""Published shares have three digits."""
PART_OF_A_COPY = 0.02
"""By how much a share may differ where not all frames are there."""


def check_labels(dataset: Dataset, root: Path, sequences: list[Sequence], findings: Findings) -> None:
    """Read all labels and set them against the recordings and the published counts.

    Args:
        dataset: The adapter.
        root: The raw folder.
        sequences: Every recording; some with their facts.
        findings: To add to.
    """
    strangers = dataset.strangers(root, sequences)
    findings.count("copy", "files of no recording", len(strangers), 0)
    if strangers:
        findings.remarks.append(f"{len(strangers)} files belong to no recording and are not used: {some(strangers)}")
    labels, unread = _read(dataset, root, sequences, findings)
    if labels is None:
        return
    _check_once(labels, findings)
    _check_unlabelled(dataset, [s for s in sequences if s.sequence not in unread], labels, findings)
    _check_windows(sequences, labels, findings)
    _check_images(dataset, root, sequences, labels, findings)
    _count(dataset, sequences, labels, findings)


def _read(
    dataset: Dataset, root: Path, sequences: list[Sequence], findings: Findings
) -> "tuple[pd.DataFrame | None, set[str]]":
    """Labels of all recordings; after a mistake shard by shard, so that every broken file is named.

    Also the recordings whose shard could not be read.
    """
    import pandas as pd

    try:
        return dataset.labels(root, sequences), set()
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
    findings.problems += list(dict.fromkeys(mistakes))[:MOST_NAMED]
    return (pd.concat(tables, ignore_index=True) if tables else None), unread


def _check_once(labels: "pd.DataFrame", findings: Findings) -> None:
    twice = labels[labels.duplicated(["sequence", "frame"])]
    if len(twice):
        names = [f"{row.sequence} frame {row.frame}" for row in twice.head(9).itertuples()]
        findings.problems.append(f"{len(twice)} frames are labelled twice: {some(names)}; expected one label a frame")


def _check_unlabelled(dataset: Dataset, sequences: list[Sequence], labels: "pd.DataFrame", findings: Findings) -> None:
    expected = dataset.labelled_sequences()
    labelled = set(labels["sequence"])
    findings.count("labels", "labelled sequences", len(labelled), _labelled_sequences(dataset))
    without = sorted(({sequence.sequence for sequence in sequences} & set(expected)) - labelled)
    if without:
        allowed = int(dataset.params.ingest.max_bad * len(expected))
        findings.judge(
            len(without) > allowed,
            f"{len(without)} of {len(expected)} recordings have no labels, ingest.max_bad allows {allowed}: "
            f"{some(without)}; restore their files",
        )


def _labelled_sequences(dataset: Dataset) -> int | None:
    if dataset.labelled_sequences():
        return len(dataset.labelled_sequences())
    return dataset.known.labelled_sequences if dataset.known else None


def _check_windows(sequences: list[Sequence], labels: "pd.DataFrame", findings: Findings) -> None:
    """Labels of frames that a video does not have, of the videos that were opened."""
    videos = [s for s in sequences if s.kind == "video" and s.frames is not None and not s.problem]
    if not videos:
        return
    spans = {str(name): (int(own.min()), int(own.max())) for name, own in labels.groupby("sequence")["frame"]}
    beyond = []
    for video in videos:
        if video.sequence not in spans:
            continue
        first, last = spans[video.sequence]
        end = video.first_frame + (video.frames or 0) - 1
        if first < video.first_frame or last > end:
            beyond.append(f"{video.sequence} (frames {video.first_frame} to {end}, labels {first} to {last})")
    findings.count("labels", "windows past the video's end", len(beyond), 0, f"of {len(videos)} videos opened")
    if beyond:
        findings.problems.append(
            f"labels lie outside of their video in {len(beyond)} recordings: {some(beyond)}; "
            "expected labels and frames of one recording"
        )


def _check_images(
    dataset: Dataset, root: Path, sequences: list[Sequence], labels: "pd.DataFrame", findings: Findings
) -> None:
    """Labels of numbered images that are not there, of the recordings that were opened."""
    labelled = {name: set(frames) for name, frames in labels.groupby("sequence")["frame"]}
    opened = [s for s in sequences if s.kind in NUMBERED and s.frames and not s.problem and s.sequence in labelled]
    if not opened:
        return
    lost = {}
    shifted = {-1: 0, 1: 0}
    frames = 0
    for sequence in opened:
        images = _images(root, sequence)
        wanted = labelled[sequence.sequence]
        frames += len(wanted | images)
        if wanted <= images:
            continue
        lost[sequence.sequence] = len(wanted - images)
        for shift in shifted:
            shifted[shift] += {frame + shift for frame in wanted} <= images
    number = sum(lost.values())
    findings.count("labels", "labelled frames without an image", number, 0, f"in {len(opened)} recordings opened")
    if not number:
        return
    worst = sorted(lost, key=lambda name: -lost[name])
    message = f"{number} labelled frames have no image: {some([f'{name} ({lost[name]})' for name in worst])}; "
    off_by_one = [shift for shift, fitting in shifted.items() if fitting > len(opened) / 2]
    too_many = number > dataset.params.ingest.max_bad * frames
    if off_by_one:
        message += f"none would if images were numbered {'higher' if off_by_one[0] < 0 else 'lower'} by one: set "
        message += "dataset.options.first_image"
    else:
        message += "complete the copy" if too_many else "they count as not decodable"
    findings.judge(bool(off_by_one) or too_many, message)


def _images(root: Path, sequence: Sequence) -> set[int]:
    """Numbers of the frames that there are images of."""
    path = root / sequence.source
    if sequence.kind == "zip":
        numbers = [number for number, _ in zipped_images(path, sequence.inside or "")]
    else:
        numbers = [number for number, _ in numbered_images(path)]
    return {sequence.first_frame + number for number in numbers}


def _count(dataset: Dataset, sequences: list[Sequence], labels: "pd.DataFrame", findings: Findings) -> None:
    known = dataset.known or Known(source="")
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
        _count_classes(dataset, known, sequences, labels["sequence"], classes, findings)


def _names_by(by: str, dataset: Dataset, sequences: list[Sequence]) -> dict[str, str | None]:
    """Activity, split, or part of the first partition, by sequence."""
    if by != "fold":
        return {sequence.sequence: getattr(sequence, by) for sequence in sequences}
    folds = next(iter(dataset.partitions.values()), [])
    part_of = {subject: f"P{number}" for number, subjects in enumerate(folds, start=1) for subject in subjects}
    return {sequence.sequence: part_of.get(sequence.subject or "") for sequence in sequences}


def _count_codes(dataset: Dataset, known: Known, units: list[str], labels: "pd.DataFrame", findings: Findings) -> None:
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
    from clef.datasets.ferplus import EMOTIONS, VOTES
    from clef.votes import majority

    if not set(VOTES) <= set(labels.columns):
        return None
    import pandas as pd

    names = dict(enumerate(EMOTIONS))
    return pd.Series(majority(labels[VOTES].to_numpy()), index=labels.index).map(names)


def _count_classes(
    dataset: Dataset,
    known: Known,
    sequences: list[Sequence],
    names: "pd.Series",
    classes: "pd.Series",
    findings: Findings,
) -> None:
    split_of = {sequence.sequence: sequence.split for sequence in sequences}
    counts = classes.groupby([names.map(split_of).fillna("all"), classes]).size()
    splits = sorted(known.classes) if known.classes else sorted({str(split) for split, _ in counts.index})
    wanted = dataset.params.labels.expressions
    for split in splits:
        published = known.classes.get(split, {})
        found = {str(name) for own, name in counts.index if own == split}
        for name in dict.fromkeys([*(published or wanted), *sorted(found)]):
            note = "" if name in wanted else "not a class of the run"
            findings.count("classes", f"{split} {name}", int(counts.get((split, name), 0)), published.get(name), note)
