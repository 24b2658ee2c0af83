"""Check the labels of a copy: do they fit the recordings?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clef.errors import abbreviate
from clef.ingest.check_recordings import RawCopy
from clef.ingest.report import Report, plural
from clef.ingest.tables import collect_labels
from clef.recordings.sequence import NUMBERED, RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

HIGHEST_RATE = 4
"""Highest rate of labels, in those of the video, that is recognised."""
RATE_TOLERANCE = 0.05
"""How far the number of labels a frame may be from a whole one if the labels have a multiple of the video's rate."""


def check_labels(
    copy: RawCopy, sequences: list[RecordedSequence], images: Mapping[str, Collection[int]]
) -> "pd.DataFrame | None":
    """Read all labels, as `Dataset.labels`, and compare them with the recordings. Return None if none can be read."""
    report = copy.report
    recordings_refused = bool(report.problems)
    _judge_unexpected_files(copy, sequences)
    read = collect_labels(copy.dataset, copy.root, sequences)
    if read.unlabelled is not None and read.unlabelled.names:
        number, of = len(read.unlabelled.names), read.unlabelled.images
        allowed = int(copy.dataset.params.ingest.max_bad * of)
        report.judge(
            number > allowed,
            f"{copy.root}: {number} of {of} images have no label, ingest.max_bad allows {allowed}: "
            f"{abbreviate(read.unlabelled.names)}; complete the copy",
        )
    for message in read.errors[:8]:
        report.problem(message)
    labels = read.labels
    if labels is None:
        return None
    twice = labels[labels.duplicated(["sequence", "frame"])]
    if len(twice):
        names = [f"{row.sequence} frame {row.frame}" for row in twice.head(9).itertuples()]
        report.problem(
            f"{plural(len(twice), 'frame')} labelled twice: {abbreviate(names)}; expected one label a frame; remove "
            "the wrong ones"
        )
    _judge_unlabelled(copy, {s.sequence for s in sequences if s.shard in read.shards}, labels)
    _judge_range(copy.dataset.params.ingest.frames_past_end, sequences, labels, report)
    _judge_images(report, coverage(sequences, labels, images), copy.dataset.params.ingest.max_bad, recordings_refused)
    return labels


def _judge_unexpected_files(copy: RawCopy, sequences: list[RecordedSequence]) -> None:
    files = copy.dataset.unexpected_files(copy.root, sequences)
    copy.report.count("copy", "files of no recording", len(files), 0)
    images = len(files) + len(sequences)
    allowed = int(copy.dataset.params.ingest.max_bad * images)
    if copy.dataset.all_labelled and len(files) > allowed:
        copy.report.problem(
            f"{len(files)} of {images} images have no label, ingest.max_bad allows {allowed}: {abbreviate(files)}; "
            "restore the whole list of labels"
        )
    elif files:
        verb = "file belongs" if len(files) == 1 else "files belong"
        copy.report.remark(f"{len(files)} {verb} to no recording, not used: {abbreviate(files)}")


def _judge_unlabelled(copy: RawCopy, names: set[str], labels: "pd.DataFrame") -> None:
    expected = copy.dataset.labelled_sequences()
    labelled = set(labels["sequence"])
    number = len(expected) or copy.published.labelled_sequences
    copy.report.count("labels", "labelled sequences", len(labelled), number)
    without = sorted((names & set(expected)) - labelled)
    if without:
        allowed = int(copy.dataset.params.ingest.max_bad * len(expected))
        copy.report.judge(
            len(without) > allowed,
            f"{len(without)} of {plural(len(expected), 'recording')} without labels, "
            f"ingest.max_bad allows {allowed}: {abbreviate(without)}; restore their files",
        )


def _judge_range(allowed: int, sequences: list[RecordedSequence], labels: "pd.DataFrame", report: Report) -> None:
    """Report labels of frames that a video or image does not have. A damaged video is judged once it is decoded."""
    import pandas as pd

    known = [s for s in sequences if s.kind not in NUMBERED and s.frames is not None and not s.problem]
    videos = sum(s.kind == "video" for s in known)
    rows = [(s.sequence, s.kind, s.first_frame, s.first_frame + (s.frames or 0) - 1) for s in known]
    ranges = pd.DataFrame(rows, columns=["sequence", "kind", "first", "last"]).set_index("sequence")
    found = labels.groupby("sequence")["frame"].agg(["min", "max"]).join(ranges, how="inner")
    past = found["max"] - found["last"]
    outside = found[(found["min"] < found["first"]) | (past > (found["kind"] == "video") * allowed)]
    if videos:
        report.count("labels", "windows past the video's end", len(outside), 0, f"of {videos} videos opened")
    if len(outside):
        names = [f"{r.Index} (frames {r.first} to {r.last}, labels {r.min} to {r.max})" for r in outside.itertuples()]
        ratio = (past / (found["last"] - found["first"] + 1) + 1)[outside.index].median()
        advice = f"where videos are whole, raise ingest.frames_past_end, which allows {allowed} past the end"
        if 2 <= round(ratio) <= HIGHEST_RATE and abs(ratio - round(ratio)) < RATE_TOLERANCE:
            advice = (
                f"there are about {round(ratio)} labels a frame: number them by the frames of the video, or copy the "
                "video again if its end is missing"
            )
        report.problem(
            f"labels are outside their video in {plural(len(outside), 'recording')}: {abbreviate(names)}; "
            f"expected labels and frames of one recording; {advice}"
        )
    late = found[past > 0].drop(outside.index, errors="ignore")
    if len(late):
        last = labels["sequence"].map(late["last"])
        names = [f"{name} ({n})" for name, n in labels[labels["frame"] > last].groupby("sequence").size().items()]
        report.remark(
            f"labels reach past the end of their video in {plural(len(late), 'recording')}, as ingest.frames_past_end "
            f"allows; these frames count as not decodable: {abbreviate(names)}"
        )


def _judge_images(report: Report, found: "Coverage", max_bad: float, recordings_refused: bool) -> None:
    """Report labelled frames without an image, as the manifest will count them."""
    number = sum(found.without_image.values())
    if found.numbered:
        note = f"in {found.labelled} labelled recordings opened"
        report.count("labels", "labelled frames without an image", number, 0, note)
    without = f"{plural(number, 'labelled frame')} {'has' if number == 1 else 'have'} no image"
    most = max_bad * found.frames
    allowed = f"ingest.max_bad allows {int(most)} of {found.frames}"
    worst = _most_first(found.without_image | found.unreadable)
    if found.shift is not None:
        way = "higher" if found.shift == -1 else "lower"
        report.problem(
            f"{without}, in {len(found.without_image)} recordings such as {min(found.without_image)}; none would if "
            f"images were numbered {way} by one: set dataset.options.first_image"
        )
    elif found.gaps > most:
        report.problem(
            f"{without}, {allowed}: {worst}; complete the copy, or raise it if these images were never written"
        )
    elif found.undecodable > most and not recordings_refused:
        report.problem(
            f"{found.undecodable} frames have no picture, most of them in recordings that are missing or cannot be "
            f"read, {allowed}: {worst}; complete the copy"
        )
    elif number:
        names = _most_first(found.without_image)
        report.remark(f"{without} (not written: face hidden?), they count as not decodable: {names}")


def _most_first(counts: dict[str, int]) -> str:
    """Names with their counts, such as `F001_T1 (3)`."""
    return abbreviate([f"{name} ({counts[name]})" for name in sorted(counts, key=lambda name: -counts[name])])


@dataclass(frozen=True)
class Coverage:
    """Rows of the manifest, estimated before anything is decoded."""

    frames: int
    """All: frames that exist, and labelled ones that do not."""
    undecodable: int
    """Those without a picture."""
    gaps: int
    """Those without a picture in recordings that can be read."""
    without_image: dict[str, int]
    """Labelled frames without an image, by name of a readable recording of numbered images."""
    unreadable: dict[str, int]
    """Labelled frames of missing and unreadable recordings, by name."""
    shift: int | None
    """Number to add to the labels' frame numbers so that most recordings have an image for every label."""
    labelled: int
    """Labelled recordings that these numbers come from."""
    numbered: bool
    """Whether there are recordings of numbered images."""


def coverage(
    sequences: Collection[RecordedSequence], labels: "pd.DataFrame", images: Mapping[str, Collection[int]]
) -> Coverage:
    """Compare labels with `images`, the frames that exist in the readable recordings of numbered images, by name.

    Recordings that were not opened count like the average opened one.
    """
    singles = [s for s in sequences if s.is_single_image]
    longer = [s for s in sequences if not s.is_single_image]
    own = labels[labels["sequence"].isin([s.sequence for s in longer])]
    labelled = {str(name): set(frames) for name, frames in own.groupby("sequence")["frame"]}
    broken = [s for s in longer if s.problem]
    sound = [s for s in longer if not s.problem and s.frames is not None]
    unopened = [s for s in longer if not s.problem and s.frames is None]
    gaps_of = {
        s.sequence: labelled.get(s.sequence, set()) - set(images[s.sequence]) for s in sound if s.sequence in images
    }
    without_image = {name: len(frames) for name, frames in gaps_of.items() if frames}
    gaps, existing = sum(without_image.values()), sum(s.frames or 0 for s in sound)
    lost = 0
    for s in broken:  # an existing recording that cannot be read has at least one frame, also without labels
        frames = labelled.get(s.sequence, set())
        lost += len(frames if s.is_missing else frames | {s.first_frame})
    labelled_sound, labelled_unopened = (sum(s.sequence in labelled for s in group) for group in (sound, unopened))
    frames_in_all = round((existing + gaps) * (1 + len(unopened) / max(1, len(sound))))
    gaps_in_all = round(gaps * (1 + labelled_unopened / max(1, labelled_sound)))
    opened = labelled_sound + sum(s.sequence in labelled for s in broken)
    return Coverage(
        frames=frames_in_all + lost + len(singles),
        undecodable=gaps_in_all + lost + sum(s.problem is not None for s in singles),
        gaps=gaps_in_all,
        without_image=without_image,
        unreadable={s.sequence: len(labelled[s.sequence]) for s in broken if s.sequence in labelled},
        shift=_shift({name: set(images[name]) for name in without_image}, labelled, opened),
        labelled=opened,
        numbered=any(s.kind in NUMBERED for s in sequences),
    )


def _shift(images: dict[str, set[int]], labelled: dict[str, set[int]], recordings: int) -> int | None:
    """Find a shift of the labels by one that fits most recordings: it closes no random gaps, only a wrong numbering."""
    for shift in (-1, 1):
        fitting = sum({frame + shift for frame in labelled[name]} <= own for name, own in images.items())
        if fitting > recordings / 2:
            return shift
    return None
