"""DISFA: 27 subjects who watch the same clips, filmed by two cameras, with 12 intensities for every frame.

Videos_LeftCamera/LeftVideoSN001_comp.avi and Video_RightCamera/RightVideoSN001_Comp.avi, with several spellings of
folders and files, and ActionUnit_Labels/SN001/SN001_au1.txt. The first decoded frame is label frame 1.
"""

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from clef.datasets.base import NOT_CODED, Dataset, Packaging, SubjectOptions, join_labels
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.csv_file import read_columns
from clef.datasets.readers.find_folders import describe, find_folders, relative
from clef.errors import ClefError
from clef.params.schema import Params
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

CODED = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
RATES = {1: 0.0497, 2: 0.0431, 4: 0.1524, 6: 0.0789, 9: 0.0418, 12: 0.1288, 25: 0.2771, 26: 0.0882}
VIDEO = re.compile(r"(?P<camera>Left|Right)Video(?P<subject>SN\d{3})(?:_comp)?\.(?:avi|mp4|mkv|mov|wmv)", re.IGNORECASE)
LABEL_FILE = re.compile(r"(?P<subject>SN\d{3})_au(?P<unit>\d+)\.txt", re.IGNORECASE)
PLUS_LABEL_FILE = re.compile(r"AU\d+\.txt", re.IGNORECASE)
"""Name of a label file of DISFA+: Labels/SN001/{trial}/AU1.txt."""
IGNORED_FOLDERS = ("landmark_points",)
INTENSITIES = {0, 1, 2, 3, 4, 5, NOT_CODED}

THREE_FOLDS = [
    "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
    "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
]
"""The standard parts P1, P2 and P3. Papers differ in which of them they call fold 1."""

SUBJECTS = sorted(subject for fold in THREE_FOLDS for subject in fold.split())

PUBLISHED_AS = [
    f"P{part}: part {part} of JAA-Net, test of fold {4 - part} of ME-GraphAU, MDHR and AUNCE, fold {part - 1} of FG-Net"
    for part in (1, 2, 3)
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
"""First and last frame of the ranges with failed tracking, which JAA-Net uses neither for training nor for tests."""


class DisfaOptions(SubjectOptions):
    """Options of DISFA."""

    camera: Literal["left", "right"] = "left"
    """Camera whose videos are used; publications use the left one."""
    leave_out: Literal["jaa"] | None = None
    """`jaa` treats the frames that JAA-Net leaves out as unlabelled; null keeps the labels of every frame."""


class DisfaFiles(NamedTuple):
    """Files of the raw folder."""

    videos: dict[tuple[str, str], Path]
    """Videos by subject and camera."""
    labels: dict[tuple[str, str], Path]
    """Label files by subject and action unit."""
    unexpected: list[Path]


class Disfa(Dataset):
    """Adapter of DISFA."""

    ignored_folders = IGNORED_FOLDERS
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
        rates={f"AU{unit:02d}": rate for unit, rate in RATES.items()},
    )

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._subjects = self.options.selected(SUBJECTS, "DISFA")
        self._files = cache(_find_files)

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        return self.published_counts if self.options.leave_out is None else PUBLISHED_JAA

    def subjects(self) -> list[str]:
        return self._subjects

    def expected_sequences(self) -> list[str]:
        return self.subjects()

    def packaging(self, root: Path) -> Packaging:
        files, camera = self._files(root), self.options.camera
        videos = [path for (_, side), path in files.videos.items() if side == camera]
        if not videos:
            raise ClefError(
                f"{root}: no videos of the {camera} camera found, {len(files.videos)} of the other; "
                "put them there, or set dataset.options.camera"
            )
        found = f"videos of the {camera} camera of {len(videos)} subjects in {relative(videos[0].parent, root)}"
        labelled = {subject for subject, _ in files.labels}
        return Packaging(f"{camera} camera", f"{found}, labels of {len(labelled)} subjects")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        self.packaging(root)
        videos, camera = self._files(root).videos, self.options.camera
        return [
            self._recording(subject, subject, "video", relative(videos[subject, camera], root), 1, subject=subject)
            for subject in self.subjects()
            if (subject, camera) in videos
        ]

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        files = self._files(root).labels
        labelled = {subject for subject, _ in files}
        names = [sequence.sequence for sequence in sequences if sequence.sequence in labelled]
        tables = {name: self._read_labels(name, files) for name in names}
        labels = join_labels(tables, root, "ActionUnit_Labels/SN001/SN001_au1.txt; put them there")
        return labels if self.options.leave_out is None else _without_left_out(labels)

    def _read_labels(self, subject: str, files: dict[tuple[str, str], Path]) -> "pd.DataFrame":
        """Read a subject's files and join them by frame, since their lengths may differ by a frame."""
        import pandas as pd

        missing = [unit for unit in CODED if (subject, str(unit)) not in files]
        if missing:
            folder = next(path.parent for (other, _), path in files.items() if other == subject)
            raise ClefError(f"{folder}: no {subject}_au{missing[0]}.txt; expected all twelve; restore it")
        codes = {f"AU{unit:02d}": _read_intensities(files[subject, str(unit)]) for unit in CODED}
        frames = max(map(len, codes.values()))
        for unit, own in zip(CODED, codes.values(), strict=True):
            if frames - len(own) > max(1, self.params.ingest.max_bad * frames):
                raise ClefError(
                    f"{files[subject, str(unit)]}: {len(own)} frames, the subject's other files have {frames}; "
                    "expected as many: restore it"
                )
        table = pd.DataFrame(codes).fillna(NOT_CODED).astype("int8").rename_axis("frame").reset_index()
        return table.astype({"frame": "int32"})

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        files = self._files(root)
        deselected = set(SUBJECTS) - set(self.subjects())
        expected = deselected | {sequence.sequence for sequence in sequences}
        without_video = {path.parent for (subject, _), path in files.labels.items() if subject not in expected}
        return sorted(relative(path, root) for path in (*files.unexpected, *without_video))


PUBLISHED_JAA = replace(
    Disfa.published_counts,
    source="counts of the frames that JAA-Net trains and tests on",
    labelled_frames=126_144,
    frames_by={"fold": {"P1": 43_173, "P2": 40_344, "P3": 42_627}},
    rates={},
)


def _find_files(root: Path) -> DisfaFiles:
    folders = find_folders(root, {"videos": VIDEO, "labels": LABEL_FILE}, IGNORED_FOLDERS)
    if not folders["videos"]:
        plus = find_folders(root, {"labels": PLUS_LABEL_FILE})["labels"]
        found = f"{relative(plus[0], root)} holds labels of DISFA+, another data set" if plus else describe(root)
        raise ClefError(
            f"{root}: {found}; expected videos of DISFA: Videos_LeftCamera/LeftVideoSN001_comp.avi; put or link the "
            "raw data there"
        )
    unexpected: list[Path] = []
    videos = _by_subject(folders["videos"], VIDEO, "camera", root, unexpected)
    labels = _by_subject(folders["labels"], LABEL_FILE, "unit", root, unexpected)
    return DisfaFiles(videos, labels, unexpected)


def _by_subject(
    folders: list[Path], pattern: re.Pattern[str], group: str, root: Path, unexpected: list[Path]
) -> dict[tuple[str, str], Path]:
    """Return files by subject and by a group of the pattern; add those that do not match to `unexpected`."""
    found: dict[tuple[str, str], Path] = {}
    for path in (folder / name for folder in folders for name in sorted(os.listdir(folder))):
        if path.name.startswith(".") or path.is_dir():
            continue
        match = pattern.fullmatch(path.name)
        if match is None or match["subject"].upper() not in SUBJECTS:
            unexpected.append(path)
            continue
        key = match["subject"].upper(), match[group].lower().lstrip("0")
        if key in found:
            both = f"{relative(found[key], root)} and {relative(path, root)}"
            raise ClefError(f"{root}: {both} are both for {key[0]}, {group} {key[1]}; expected one; remove one")
        found[key] = path
    return found


def _read_intensities(path: Path) -> "pd.Series":
    """Read one label file: lines `frame,intensity` without a header. Frame numbers are the index."""
    import pyarrow as pa

    types = {"frame": pa.int64(), "intensity": pa.int64()}
    table = read_columns(path, list(types), types, "lines `frame,intensity` without a header").to_pandas()
    wrong = table[~table["intensity"].isin(INTENSITIES)]
    if len(wrong):
        frame, intensity = wrong.iloc[0]
        raise ClefError(f"{path}: frame {frame}: intensity {intensity}; expected 0 to 5")
    duplicates = table["frame"][table["frame"].duplicated()]
    if len(duplicates):
        raise ClefError(f"{path}: frame {duplicates.iloc[0]} appears twice; expected one line per frame")
    return table.set_index("frame")["intensity"].astype("int8")


def _without_left_out(labels: "pd.DataFrame") -> "pd.DataFrame":
    """Drop the labels of frames that JAA-Net leaves out. The frames stay in the manifest, unlabelled."""
    left_out = labels["frame"] < 0
    for subject, ranges in LEFT_OUT_BY_JAA.items():
        for first, last in ranges:
            left_out |= (labels["sequence"] == subject) & labels["frame"].between(first, last)
    log.info("%d of %d labelled frames left out, as in JAA-Net", left_out.sum(), len(labels))
    return labels[~left_out].reset_index(drop=True)


ADAPTER = Disfa
