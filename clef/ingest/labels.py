"""The raw labels of a data set, checked against its recordings: once before cropping, and again for the manifest."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.recordings.sequence import NUMBERED, RecordedSequence
from clef.runtime.wording import abbreviate

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Files that belong to nothing and are named one by one: a folder of images may hold a hundred thousand."""


Images = Mapping[str, Collection[int]]
"""Frames that there are images of, by name of a recording of numbered images."""


def read_labels(
    dataset: Dataset, root: Path, sequences: list[RecordedSequence], images: Images | None = None
) -> "pd.DataFrame":
    """Read the labels of all recordings and say what does not belong together.

    Recordings without labels, and labels without a recording, are named as warnings.

    Args:
        dataset: The adapter.
        root: Folder of the raw data.
        sequences: Every recording, from `ingest`.
        images: Of every recording of numbered images, where they were listed: labels are set against them too.

    Returns:
        As `Dataset.labels`.

    Raises:
        ClefError: A frame is labelled twice or lies further beyond its video than `ingest.overhang` allows, or more
            recordings are without labels, or labelled frames without an image, than `ingest.max_bad` allows.
    """
    labels = dataset.labels(root, sequences)
    twice = labels[labels.duplicated(["sequence", "frame"])]
    if len(twice):
        frame, sequence = twice[["frame", "sequence"]].iloc[0]
        raise ClefError(f"{root}: frame {frame} of {sequence} is labelled twice; expected one label a frame")
    _require_within(labels, sequences, root, dataset.params.ingest.overhang)
    unexpected_files = dataset.unexpected_files(root, sequences)
    for stranger in unexpected_files[:MOST_NAMED]:
        log.warning("%s: belongs to no recording of %s; it is not used", root / stranger, dataset.name)
    if len(unexpected_files) > MOST_NAMED:
        log.warning("%s: %d more files like these", root, len(unexpected_files) - MOST_NAMED)
    expected = dataset.labelled_sequences()
    without = sorted(({s.sequence for s in sequences} & set(expected)) - set(labels["sequence"]))
    if without:
        names = abbreviate(without)
        allowed = int(dataset.params.ingest.max_bad * len(expected))
        if len(without) > allowed:
            raise ClefError(
                f"{root}: {len(without)} of {len(expected)} recordings have no labels, "
                f"ingest.max_bad allows {allowed}: {names}; restore their files"
            )
        log.warning("without labels: %s", names)
    if images is not None:
        _require_images(labels, sequences, images, root, dataset.params.ingest.max_bad)
    return labels


@dataclass(frozen=True)
class Coverage:
    """What the manifest will have of recordings, as far as it can be told before they are decoded."""

    frames: int
    """Its rows: frames that are there, and labelled ones that are not."""
    undecodable: int
    """Those of them without a picture, as the manifest counts them."""
    scattered: int
    """Those of these that are of recordings that can be read."""
    lacking: dict[str, int]
    """Labelled frames without an image, by name of a recording of numbered images that is there."""
    gone: dict[str, int]
    """Labelled frames of a recording that is not there or cannot be read, by its name."""
    shift: int | None
    """What the labels' numbers are to be raised by for most recordings to lack none."""
    labelled: int
    """Recordings with labels that all this was told from."""

    @property
    def worst(self) -> list[str]:
        """Recordings with the number of labelled frames that each of them lacks, most first."""
        return most_first(self.lacking | self.gone)

    def too_many(self, max_bad: float) -> bool:
        """Whether the manifest would refuse."""
        return self.undecodable > max_bad * self.frames


def most_first(numbers: dict[str, int]) -> list[str]:
    """Names with their numbers, such as `F001_T1 (3)`."""
    return [f"{name} ({numbers[name]})" for name in sorted(numbers, key=lambda name: -numbers[name])]


def coverage(sequences: Collection[RecordedSequence], labels: "pd.DataFrame", images: Images) -> Coverage:
    """Set labels against the frames that there are.

    Args:
        sequences: Every recording. Of those that were not opened it is taken that they are as the others.
        labels: Of all of them.
        images: Of every recording of numbered images that was opened and can be read.
    """
    rows = [sequence for sequence in sequences if not sequence.is_single_image]
    labelled = _frames_by_recording(labels, {sequence.sequence for sequence in rows})
    broken = [s for s in rows if s.problem]
    sound = [s for s in rows if not s.problem and s.frames is not None]
    unopened = [s for s in rows if not s.problem and s.frames is None]
    own = {s.sequence: set(images[s.sequence]) for s in sound if s.kind in NUMBERED}
    lacking = {name: len(lost) for name in own if (lost := labelled.get(name, set()) - own[name])}
    there = sum((s.frames or 0) + lacking.get(s.sequence, 0) for s in sound)
    gone = sum(len(_frames_of_broken(s, labelled.get(s.sequence, set()))) for s in broken)
    single = [sequence for sequence in sequences if sequence.is_single_image]
    opened = [s for s in (*sound, *broken) if s.sequence in labelled]
    alike = [[s for s in group if s.sequence in labelled] for group in (unopened, sound)]
    scattered = round(sum(lacking.values()) * _as_the_others(*alike))
    return Coverage(
        frames=round(there * _as_the_others(unopened, sound)) + gone + len(single),
        undecodable=scattered + gone + sum(s.problem is not None for s in single),
        scattered=scattered,
        lacking=lacking,
        gone={s.sequence: len(labelled[s.sequence]) for s in broken if s.sequence in labelled},
        shift=_shift({name: own[name] for name in lacking}, labelled, len(opened)),
        labelled=len(opened),
    )


def _frames_by_recording(labels: "pd.DataFrame", names: set[str]) -> dict[str, set[int]]:
    own = labels[labels["sequence"].isin(names)] if names else labels.iloc[:0]
    return {str(name): set(frames) for name, frames in own.groupby("sequence")["frame"]}


def _as_the_others(unopened: list[RecordedSequence], opened: list[RecordedSequence]) -> float:
    """What a sum over the opened is to be multiplied by to be one over all."""
    return 1 + len(unopened) / max(1, len(opened))


def _frames_of_broken(sequence: RecordedSequence, labelled: set[int]) -> set[int]:
    """A recording that is there and cannot be read has one frame at least, also without labels."""
    return labelled if sequence.is_missing else labelled | {sequence.first_frame}


def _shift(images: dict[str, set[int]], labelled: dict[str, set[int]], recordings: int) -> int | None:
    """Scattered gaps do not close by a shift; those of a wrong count do."""
    for shift in (-1, 1):
        fitting = sum({frame + shift for frame in labelled[name]} <= own for name, own in images.items())
        if fitting > recordings / 2:
            return shift
    return None


def _require_images(
    labels: "pd.DataFrame", sequences: list[RecordedSequence], images: Images, root: Path, max_bad: float
) -> None:
    """Refuse what the manifest would refuse after hours of cropping."""
    found = coverage(sequences, labels, images)
    if found.shift is not None:
        raise ClefError(f"{root}: {off_by_one(found)}")
    if found.too_many(max_bad):
        raise ClefError(
            f"{root}: {found.undecodable} of {found.frames} frames have no image, more than ingest.max_bad allows; "
            f"most labelled ones in {abbreviate(found.worst)}: complete the copy, or raise it if these images were never "
            "written"
        )


def off_by_one(found: Coverage) -> str:
    """The message for a coverage with a shift."""
    number = sum(found.lacking.values())
    lack = f"{number} labelled frame{' has' if number == 1 else 's have'} no image"
    return (
        f"{lack}, in {len(found.lacking)} recordings such as {min(found.lacking)}; none would if images were numbered "
        f"{'higher' if found.shift == -1 else 'lower'} by one: set dataset.options.first_image"
    )


def _require_within(labels: "pd.DataFrame", sequences: list[RecordedSequence], root: Path, overhang: int) -> None:
    """Refuse labels of frames that a sound recording does not have; a damaged one is judged once it is decoded."""
    import pandas as pd

    sound = [s for s in sequences if s.frames is not None and not s.problem and s.kind not in NUMBERED]
    limits = pd.DataFrame(
        [(s.sequence, s.source, s.kind, s.first_frame, s.first_frame + (s.frames or 0) - 1) for s in sound],
        columns=["sequence", "source", "kind", "first", "last"],
    )
    labelled = labels[["sequence", "frame"]].merge(limits, on="sequence")
    past = labelled["frame"] - labelled["last"]
    allowed = (labelled["kind"] == "video") * overhang
    beyond = labelled[(labelled["frame"] < labelled["first"]) | (past > allowed)]
    if len(beyond):
        example = beyond.iloc[0]
        at_the_end = example["kind"] == "video" and example["frame"] > example["last"]
        hint = f"; if the video is whole, raise ingest.overhang, which allows {overhang} past its end"
        raise ClefError(
            f"{root}: {example['sequence']} has a label for frame {example['frame']}, but {example['source']} has "
            f"frames {example['first']} to {example['last']}; expected labels and frames of one recording"
            f"{hint if at_the_end else ''}"
        )
    hanging = labelled.loc[past > 0, "sequence"]
    if len(hanging):
        log.warning(
            "%d labelled frames lie past the end of their video, as ingest.overhang allows, in %d recordings such as "
            "%s; they count as not decodable",
            len(hanging),
            hanging.nunique(),
            hanging.iloc[0],
        )
