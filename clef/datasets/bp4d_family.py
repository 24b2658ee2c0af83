"""Common part of BP4D and BP4D+: names, packagings, frame numbers and label files.

A subject is `F001` or `M001`, a task `T1`, a recording `F001_T1`. `clef.datasets.readers.packagings` lists the
packagings of recordings. Label files are `F001_T1.csv`, in any folder.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Dataset, Packaging, SubjectOptions, join_labels
from clef.datasets.readers.find_folders import describe, find_folders, only_one, relative
from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.datasets.readers.packagings import ImageFolders, PackagedRecordings, SubjectZips, VideoFiles
from clef.errors import ClefError
from clef.params.schema import Params
from clef.recordings.sequence import MISSING, RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

BENCHMARK = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""Action units that publications report."""
BENCHMARK_LABELS = [f"AU{unit:02d}" for unit in BENCHMARK]
LABEL_FILE = re.compile(r"([FM]\d{3})_(T\d+)\.csv", re.IGNORECASE)
IGNORED_FOLDERS = ("2dfeatures", "3dfeatures", "irfeatures", "physiology", "thermal", "bp4d-fpoints")
"""Landmarks, thermal and physiological data: millions of files, some named like recordings."""


class Bp4dFamilyOptions(SubjectOptions):
    """Options of BP4D and BP4D+."""

    packaging: Literal["auto", "images", "zips", "videos"] = "auto"
    """Packaging to read if a copy has several; `auto` selects the one with the most subjects."""
    first_image: Literal["auto", 0, 1] = "auto"
    """Number of the image that shows frame 1; `auto` means 0 if any image has number 0, otherwise 1."""


@dataclass(frozen=True)
class Bp4dFiles:
    """Files of the raw folder."""

    recordings: PackagedRecordings
    unused: list[PackagedRecordings]
    """Recordings in other packagings."""
    labels: dict[str, Path]
    """Label files by recording."""
    labels_folder: Path | None
    first_image: int | None
    """Number of the image of frame 1; None for videos."""
    reason: str | None


class Bp4dFamily(Dataset):
    """Base of the two adapters."""

    ignored_folders = IGNORED_FOLDERS
    Options = Bp4dFamilyOptions
    options: Bp4dFamilyOptions
    crop_options: ClassVar = frozenset({"packaging", "first_image"})

    title: ClassVar[str]
    all_subjects: ClassVar[list[str]]
    coded: ClassVar[tuple[str, ...]]
    """Tasks that have labels."""
    optional: ClassVar[frozenset[int]] = frozenset()
    """Action units that may have no column in a label file."""
    by_position: ClassVar[list[int] | None] = None
    """Column numbers of a label file whose header does not name them."""
    packagings: ClassVar[tuple[type[PackagedRecordings], ...]]
    """Packagings of the data set; the first one wins a tie."""
    video: ClassVar[re.Pattern[str]]
    releases: ClassVar[dict[tuple[str, int | None], str]] = {}
    """Names of releases, by packaging and number of the image of frame 1."""
    expected: ClassVar[str]
    """The packagings, for messages."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._subjects = self.options.selected(self.all_subjects, self.title)
        self._files = cache(self._find_files)

    @classmethod
    def read_video_name(cls, name: str) -> tuple[str, str] | None:
        """Return subject and task of a video, given its file name."""
        match = cls.video.fullmatch(name)
        return (match["subject"].upper(), match["task"].upper()) if match else None

    def subjects(self) -> list[str]:
        return self._subjects

    def expected_sequences(self) -> list[str]:
        return [f"{subject}_{task}" for subject in self.subjects() for task in self.activities]

    def labelled_sequences(self) -> list[str]:
        return [f"{subject}_{task}" for subject in self.subjects() for task in self.coded]

    def packaging(self, root: Path) -> Packaging:
        files = self._files(root)
        kind, base = files.recordings.name, relative(files.recordings.base, root)
        found = f"{kind} of {len(files.recordings.subjects)} subjects in {base}, "
        found += "no labels" if files.labels_folder is None else f"labels in {relative(files.labels_folder, root)}"
        for other in files.unused:
            found += f"; also {other.name} in {relative(other.base, root)}, which are not used"
        offset = None if files.first_image is None else 1 - files.first_image
        return Packaging(self.releases.get((kind, files.first_image), kind), found, offset, files.reason)

    def sequences(self, root: Path) -> list[RecordedSequence]:
        return [sequence for sequence in self._expected(root) if not sequence.is_missing]

    def missing_recordings(self, root: Path) -> list[RecordedSequence]:
        files = self._files(root)
        return [
            sequence
            for sequence in self._expected(root)
            if sequence.is_missing and sequence.activity in self.coded and sequence.sequence in files.labels
            # a subject without any recording is an error of its own
            if sequence.subject in files.recordings.subjects
        ]

    def _expected(self, root: Path) -> Iterator[RecordedSequence]:
        files = self._files(root)
        first_frame = 1 if files.first_image is None else 1 - files.first_image
        for subject, task in product(self.subjects(), sorted(self.activities)):
            found = files.recordings.find(subject, task)
            if found is not None:
                name, source = f"{subject}_{task}", relative(found.path, root)
                known = {"subject": subject, "activity": task, "inside": found.inside}
                known["problem"] = None if found.exists else MISSING
                yield self._recording(name, subject, found.kind, source, first_frame, **known)

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        files = self._files(root).labels
        numbers = [int(name.removeprefix("AU")) for name in self.label_names]
        tables = {
            name: read_occurrence_csv(files[name], numbers, self.by_position, self.optional)
            for name in (sequence.sequence for sequence in sequences if sequence.activity in self.coded)
            if name in files
        }
        return join_labels(
            tables, root, "files such as F001_T1.csv in a folder such as AUCoding/AU_OCC; put them there"
        )

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        files = self._files(root)
        listed = {sequence.sequence for sequence in sequences}
        deselected = set(self.all_subjects) - set(self.subjects())
        unexpected = files.recordings.unexpected_files(self.all_subjects)
        for name, path in files.labels.items():
            subject, task = name.split("_")
            if task not in self.coded or not (name in listed or subject in deselected):
                unexpected.append(path)
        return sorted(relative(path, root) for path in unexpected)

    def _find_files(self, root: Path) -> Bp4dFiles:
        patterns = {"images": ImageFolders.pattern, "zips": SubjectZips.pattern, "videos": self.video}
        wanted = {kind.name: patterns[kind.name] for kind in self.packagings}
        folders = find_folders(root, {"labels": LABEL_FILE, **wanted}, IGNORED_FOLDERS)
        labels_folder = only_one(folders["labels"], root, "label files")
        packaging = self.options.packaging
        found: list[PackagedRecordings] = []
        for kind in self.packagings:
            candidates = [kind(folder, self.activities, self.read_video_name) for folder in folders[kind.name]]
            with_subjects = [packed for packed in candidates if packed.subjects]
            only_one([packed.base for packed in with_subjects], root, kind.name)
            found += with_subjects
        usable = sorted(
            (packed for packed in found if packaging in ("auto", packed.name)),
            key=lambda packed: -len(packed.subjects & set(self.subjects())),
        )
        if not usable:
            missing = "recordings" if packaging == "auto" else packaging
            raise ClefError(
                f"{root}: no {missing} of {self.title}; expected {self.expected}; the folder {describe(root)}; put or "
                "link the raw data there"
            )
        unused = [packed for packed in found if packed is not usable[0]]
        names = [] if labels_folder is None else sorted(os.listdir(labels_folder))
        label_files = (Path(f"{labels_folder}/{name}") for name in names if LABEL_FILE.fullmatch(name))
        labels = {path.stem.upper(): path for path in label_files}
        return Bp4dFiles(usable[0], unused, labels, labels_folder, *self._first_image(usable[0]))

    def _first_image(self, recordings: PackagedRecordings) -> tuple[int | None, str | None]:
        """Find the number of the image of frame 1, and the reason.

        Images of the full releases count from 0 and label frames from 1. FERA-2015 named its images after the frames.
        """
        if isinstance(recordings, VideoFiles):
            return None, None
        if self.options.first_image != "auto":
            return self.options.first_image, "dataset.options.first_image is set"
        zero = recordings.find_image_zero(self.subjects())
        if zero is None:
            return 1, "no image has number 0: images are numbered like their frames"
        return 0, f"an image has number 0 ({zero}): images count from 0 and frames from 1"
