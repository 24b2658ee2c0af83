"""DISFA: 27 people who watch one reel of clips, filmed from two sides, every frame coded for twelve intensities.

Videos_LeftCamera/LeftVideoSN001_comp.avi or Video_RightCamera/RightVideoSN001_Comp.avi, in any spelling of folder and
letter case, and ActionUnit_Labels/SN001/SN001_au1.txt. The first decoded frame is label frame 1.
"""

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Dataset
from clef.datasets.published_counts import Packaging, PublishedCounts
from clef.datasets.readers.find_folders import contents, find_folders, relative
from clef.datasets.readers.intensity_txt import read_intensity_txt
from clef.datasets.subject_options import SubjectOptions, selected_subjects
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

    from clef.params.schema import Params

log = logging.getLogger(__name__)

CODED = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
VIDEO = re.compile(r"(?P<camera>Left|Right)Video(?P<subject>SN\d{3})(?:_comp)?\.(?:avi|mp4|mkv|mov|wmv)", re.IGNORECASE)
LABELS = re.compile(r"(?P<subject>SN\d{3})_au(?P<number>\d+)\.txt", re.IGNORECASE)
SKIPPED = ("landmark_points",)
NOT_CODED = 9

THREE_FOLDS = [
    "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
    "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
]
"""The field's three parts P1, P2, P3; which of them is called fold 1 differs from paper to paper."""

SUBJECTS = sorted(subject for fold in THREE_FOLDS for subject in fold.split())

PUBLISHED_AS = [
    "P1: part 1 of JAA-Net, test of fold 3 of ME-GraphAU, MDHR and AUNCE, fold 0 of FG-Net",
    "P2: part 2 of JAA-Net, test of fold 2 of ME-GraphAU, MDHR and AUNCE, fold 1 of FG-Net",
    "P3: part 3 of JAA-Net, test of fold 1 of ME-GraphAU, MDHR and AUNCE, fold 2 of FG-Net",
]

LEFT_OUT_BY_JAA = {
    "SN001": ((398, 420), (3190, 3243)),
    "SN002": ((800, 826),),
    "SN004": ((4541, 4555),),
    "SN006": ((1349, 1405),),
    "SN009": ((1736, 1808), (1851, 1885)),
    "SN011": ((4529, 4533), (4830, 4845)),
    "SN021": (
        (574, 616), (985, 1164), (1190, 1205), (1305, 1338), (1665, 1710), (1862, 2477), (2554, 4657), (4710, 4722),
    ),
    "SN023": ((1021, 1049), (3378, 3557), (3584, 3668), (4547, 4621), (4741, 4772), (4825, 4845)),
    "SN025": ((4596, 4662), (4816, 4835)),
    "SN027": ((3461, 3494), (4738, 4785)),
    "SN028": ((1875, 1885), (4571, 4690)),
    "SN029": ((4090, 4543),),
    "SN030": ((939, 962), (1406, 1422), (2100, 2132), (2893, 2955)),
}  # fmt: skip
"""Frames, first and last, in which tracking failed; JAA-Net neither trains nor tests on them."""


class DisfaOptions(SubjectOptions):
    """Choices about a copy."""

    camera: Literal["left", "right"] = "left"
    """Whose videos; the field uses the left one's."""
    leave_out: Literal["jaa"] | None = None
    """`jaa`: frames that JAA-Net leaves out are kept and count as unlabelled; null labels every frame."""


@dataclass(frozen=True)
class Copy:
    """A copy of the set, as found."""

    videos: dict[tuple[str, str], Path]
    """By camera and subject."""
    labels: dict[tuple[str, int], Path]
    """By subject and action unit."""
    others: list[Path]
    """Files among the videos and the labels that are neither."""


class Disfa(Dataset):
    """See the module."""

    ignored_folders = SKIPPED
    Options = DisfaOptions
    options: DisfaOptions
    crop_options: ClassVar = frozenset({"camera"})
    label_names: ClassVar = [f"AU{number:02d}" for number in CODED]
    partitions: ClassVar = {"three-fold": [fold.split() for fold in THREE_FOLDS]}
    published_as: ClassVar = {"three-fold": PUBLISHED_AS}
    published_counts: ClassVar = PublishedCounts(
        source="counts of the label lists in github.com/CVI-SZU/MDHR; "
        "they give ME-GraphAU's class weights to the sixth digit",
        subjects=27,
        sequences=27,
        labelled_sequences=27,
        labelled_frames=130_814,
        frames_by={"fold": {"P1": 43_604, "P2": 43_605, "P3": 43_605}},
        threshold=2,
        rates={
            "AU01": 0.0497,
            "AU02": 0.0431,
            "AU04": 0.1524,
            "AU06": 0.0789,
            "AU09": 0.0418,
            "AU12": 0.1288,
            "AU25": 0.2771,
            "AU26": 0.0882,
        },
    )

    def __init__(self, params: "Params") -> None:
        super().__init__(params)
        self._subjects = selected_subjects(self.options, SUBJECTS, "DISFA")
        self._copies: dict[Path, Copy] = {}

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        return self.published_counts if self.options.leave_out is None else PUBLISHED_JAA

    def shards(self) -> list[str]:
        return self.subjects()

    def subjects(self) -> list[str]:
        return self._subjects

    def expected_sequences(self) -> list[str]:
        return self.subjects()

    def packaging(self, root: Path) -> Packaging:
        copy = self._copy(root)
        counts = {side: sum(camera == side for camera, _ in copy.videos) for side in ("left", "right")}
        camera = self.options.camera
        if not counts[camera]:
            raise ClefError(
                f"{root}: no videos of the {camera} camera found, {sum(counts.values())} of the other; "
                "put them there, or choose by dataset.options.camera"
            )
        folder = next(path.parent for (side, _), path in copy.videos.items() if side == camera)
        found = f"videos of the {camera} camera of {counts[camera]} subjects in {relative(folder, root)}"
        labelled = {subject for subject, _ in copy.labels}
        return Packaging(f"{camera} camera", f"{found}, labels of {len(labelled)} subjects")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        self.packaging(root)
        videos, camera = self._copy(root).videos, self.options.camera
        return [
            RecordedSequence(
                dataset=self.name,
                sequence=subject,
                subject=subject,
                activity=None,
                split=None,
                shard=subject,
                kind="video",
                source=relative(videos[camera, subject], root),
                first_frame=1,
            )
            for subject in self.subjects()
            if (camera, subject) in videos
        ]

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        copy = self._copy(root)
        tables = []
        for sequence in sequences:
            files = {number: path for (subject, number), path in copy.labels.items() if subject == sequence.sequence}
            if not files:
                continue
            missing = [number for number in CODED if number not in files]
            if missing:
                folder = next(iter(files.values())).parent
                raise ClefError(f"{folder}: no {sequence.sequence}_au{missing[0]}.txt; expected all twelve; restore it")
            codes = {number: read_intensity_txt(files[number]) for number in CODED}
            _require_equally_long(codes, files, self.params.ingest.max_bad)
            # By frame and not by line: files of one person may differ by a frame.
            table = pd.DataFrame({f"AU{number:02d}": codes[number] for number in CODED})
            table = table.fillna(NOT_CODED).astype("int8").rename_axis("frame").reset_index()
            table = table.astype({"frame": "int32"})
            table.insert(0, "sequence", sequence.sequence)
            tables.append(table)
        if not tables:
            raise ClefError(
                f"{root}: no labels of any recording; expected ActionUnit_Labels/SN001/SN001_au1.txt; put them there"
            )
        labels = pd.concat(tables, ignore_index=True)
        return labels if self.options.leave_out is None else _without_left_out(labels)

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        copy = self._copy(root)
        there = {sequence.sequence for sequence in sequences}
        without_video = {
            path.parent
            for (subject, _), path in copy.labels.items()
            if subject in self.subjects() and subject not in there
        }
        return sorted(relative(path, root) for path in (*copy.others, *without_video))

    def _copy(self, root: Path) -> Copy:
        if root not in self._copies:
            self._copies[root] = _look_for_copy(root)
        return self._copies[root]


PUBLISHED_JAA = PublishedCounts(
    source="counts of the frames that JAA-Net trains and tests on",
    subjects=27,
    sequences=27,
    labelled_sequences=27,
    labelled_frames=126_144,
    frames_by={"fold": {"P1": 43_173, "P2": 40_344, "P3": 42_627}},
    threshold=2,
)
"""Of the frames that are left; how often an action unit is present in them was not published."""


def _look_for_copy(root: Path) -> Copy:
    folders = find_folders(root, {"videos": VIDEO, "labels": LABELS}, SKIPPED)
    if not folders["videos"]:
        raise ClefError(
            f"{root}: no videos of DISFA found; expected Videos_LeftCamera/LeftVideoSN001_comp.avi; "
            f"found {contents(root)}; put or link the raw data there"
        )
    videos: dict[tuple[str, str], Path] = {}
    labels: dict[tuple[str, int], Path] = {}
    others = []
    for path, match in _files(folders["videos"], VIDEO):
        if match is None or match["subject"].upper() not in SUBJECTS:
            others.append(path)
            continue
        camera, subject = match["camera"].lower(), match["subject"].upper()
        if (camera, subject) in videos:
            both = f"{relative(videos[camera, subject], root)} and {relative(path, root)}"
            raise ClefError(f"{root}: {both} are both {subject}'s of the {camera} camera; expected one; remove one")
        videos[camera, subject] = path
    for path, match in _files(folders["labels"], LABELS):
        if match is None or match["subject"].upper() not in SUBJECTS:
            others.append(path)
            continue
        subject, number = match["subject"].upper(), int(match["number"])
        if (subject, number) in labels:
            both = f"{relative(labels[subject, number], root)} and {relative(path, root)}"
            raise ClefError(f"{root}: {both} both label action unit {number} of {subject}; remove one")
        labels[subject, number] = path
    return Copy(videos, labels, others)


def _files(folders: list[Path], pattern: re.Pattern[str]) -> Iterable[tuple[Path, re.Match[str] | None]]:
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if not name.startswith(".") and not (folder / name).is_dir():
                yield folder / name, pattern.fullmatch(name)


def _require_equally_long(codes: "dict[int, pd.Series]", files: dict[int, Path], max_bad: float) -> None:
    """Refuse a file that was cut off: the frames it lacks would count as not coded."""
    frames = max(len(own) for own in codes.values())
    for number, own in codes.items():
        if frames - len(own) > max(1, max_bad * frames):
            raise ClefError(
                f"{files[number]}: {len(own)} frames, the subject's other files have {frames}; expected as many: "
                "restore it"
            )


def _without_left_out(labels: "pd.DataFrame") -> "pd.DataFrame":
    """Labels without those of the frames that JAA-Net leaves out: they stay frames of the manifest, unlabelled."""
    left_out = labels["frame"] < 0
    for subject, windows in LEFT_OUT_BY_JAA.items():
        for first, last in windows:
            left_out |= (labels["sequence"] == subject) & labels["frame"].between(first, last)
    log.info("%d of %d labelled frames left out, as in JAA-Net", left_out.sum(), len(labels))
    return labels[~left_out].reset_index(drop=True)


ADAPTER = Disfa
