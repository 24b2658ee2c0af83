"""What BP4D and BP4D+, both of Bp4dFamily University, share: names, packagings, numbering and label files.

A subject is `F001` or `M001`, a task `T1`, a recording `F001_T1`. The packagings of the recordings are in
`clef.datasets.readers.packagings`; label files are `F001_T1.csv`, in any folder.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Dataset
from clef.datasets.published_counts import Packaging
from clef.datasets.readers.find_folders import contents, find_folders, relative, the_only
from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.datasets.readers.packagings import Images, Packed, Place, Zips
from clef.datasets.subject_options import SubjectOptions, selected_subjects
from clef.errors import ClefError
from clef.recordings.sequence import MISSING, RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

    from clef.params.schema import Params

LABELS = re.compile(r"([FM]\d{3})_(T\d+)\.csv", re.IGNORECASE)
SKIPPED = ("2dfeatures", "3dfeatures", "irfeatures", "physiology", "thermal", "bp4d-fpoints")
"""Folders of landmarks, heat and pulse: subjects' names stand in them too, and files by the million."""


class Bp4dFamilyOptions(SubjectOptions):
    """Choices about a copy."""

    packaging: Literal["auto", "images", "zips", "videos"] = "auto"
    """Which recordings to read where several packagings are there; `auto` takes that of most subjects."""
    first_image: Literal["auto", 0, 1] = "auto"
    """Number of the image of frame 1; `auto` takes 0 where there is an image 0, else 1."""


@dataclass(frozen=True)
class Copy:
    """A copy of the set, as found."""

    recordings: Packed
    others: list[Packed]
    """Further packagings, which are not used."""
    labels: Path | None
    first_image: int | None
    """Number of the image of frame 1; None for videos."""
    reason: str | None


class Bp4dFamily(Dataset):
    """Adapter of either set."""

    ignored_folders = SKIPPED
    Options = Bp4dFamilyOptions
    options: Bp4dFamilyOptions
    crop_options: ClassVar = frozenset({"packaging", "first_image"})

    title: ClassVar[str]
    """The set's own name."""
    all_subjects: ClassVar[list[str]]
    """Subjects of a complete copy."""
    coded: ClassVar[tuple[str, ...]]
    """Tasks that have labels."""
    optional: ClassVar[frozenset[int]] = frozenset()
    """Action units that a label file need have no column for."""
    by_position: ClassVar[list[int] | None] = None
    """Numbers of the columns of a label file whose header does not tell."""
    packagings: ClassVar[tuple[type[Packed], ...]]
    """Those that the set comes in; of equals, the first is used."""
    video: ClassVar[re.Pattern[str]]
    """Names of videos."""
    releases: ClassVar[dict[tuple[str, int | None], str]] = {}
    """What a packaging is called, where it has a name of its own, by kind and number of the image of frame 1."""
    expected: ClassVar[str]
    """The packagings, for messages."""

    def __init__(self, params: "Params") -> None:
        super().__init__(params)
        self._subjects = selected_subjects(self.options, self.all_subjects, self.title)
        self._copies: dict[Path, Copy] = {}

    @classmethod
    def read_video_name(cls, name: str) -> tuple[str, str] | None:
        """Subject and task of a video, by its file name."""
        match = cls.video.fullmatch(name)
        return (match["subject"].upper(), match["task"].upper()) if match else None

    @classmethod
    def write_video_name(cls, example: str, subject: str, task: str) -> str:
        """Name of the video of a subject and a task, spelt as that of another is."""
        match = cls.video.fullmatch(example)
        name = f"{subject}_{task}"
        return (name.lower() if match and match["subject"].islower() else name) + Path(example).suffix

    def shards(self) -> list[str]:
        return self.subjects()

    def subjects(self) -> list[str]:
        return self._subjects

    def expected_sequences(self) -> list[str]:
        return [f"{subject}_{task}" for subject in self.subjects() for task in self.activities]

    def labelled_sequences(self) -> list[str]:
        return [f"{subject}_{task}" for subject in self.subjects() for task in self.coded]

    def packaging(self, root: Path) -> Packaging:
        copy = self._copy(root)
        base = relative(copy.recordings.base, root)
        found = f"{copy.recordings.name} of {len(copy.recordings.subjects)} subjects in {base}, "
        found += "no labels" if copy.labels is None else f"labels in {relative(copy.labels, root)}"
        for other in copy.others:
            found += f"; also {other.name} in {relative(other.base, root)}, which are not used"
        offset = None if copy.first_image is None else 1 - copy.first_image
        kind = copy.recordings.name
        return Packaging(self.releases.get((kind, copy.first_image), kind), found, offset, copy.reason)

    def sequences(self, root: Path) -> list[RecordedSequence]:
        recordings = self._copy(root).recordings
        return [
            self._sequence(root, subject, task, place)
            for subject in self.subjects()
            for task in sorted(self.activities)
            if (place := recordings.place(subject, task)) is not None
        ]

    def missing_recordings(self, root: Path) -> list[RecordedSequence]:
        copy = self._copy(root)
        labelled = _label_files(copy.labels)
        return [
            replace(self._sequence(root, subject, task, place), problem=MISSING)
            for subject in self.subjects()
            if subject in copy.recordings.subjects  # of others there is nothing, and that stops all
            for task in sorted(self.coded)
            if f"{subject}_{task}" in labelled and (place := copy.recordings.missing_place(subject, task)) is not None
        ]

    def _sequence(self, root: Path, subject: str, task: str, place: Place) -> RecordedSequence:
        first_image = self._copy(root).first_image
        return RecordedSequence(
            dataset=self.name,
            sequence=f"{subject}_{task}",
            subject=subject,
            activity=task,
            split=None,
            shard=subject,
            kind=place.kind,
            source=relative(place.path, root),
            first_frame=1 if first_image is None else 1 - first_image,
            inside=place.inside,
        )

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        files = _label_files(self._copy(root).labels)
        numbers = [int(name.removeprefix("AU")) for name in self.label_names]
        tables = []
        for sequence in sequences:
            path = files.get(sequence.sequence)
            if path is None or sequence.activity not in self.coded:
                continue
            table = read_occurrence_csv(path, numbers, self.by_position, self.optional)
            table.insert(0, "sequence", sequence.sequence)
            tables.append(table)
        if not tables:
            raise ClefError(
                f"{root}: no labels of any recording; "
                "expected files such as F001_T1.csv in a folder such as AUCoding/AU_OCC; put them there"
            )
        return pd.concat(tables, ignore_index=True)

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        copy = self._copy(root)
        listed = {sequence.sequence for sequence in sequences}
        strange = copy.recordings.unexpected_files(self.all_subjects)
        left_out = set(self.all_subjects) - set(self.subjects())
        for name, path in _label_files(copy.labels).items():
            subject, task = name.split("_")
            if task not in self.coded or not (name in listed or subject in left_out):
                strange.append(path)
        return sorted(relative(path, root) for path in strange)

    def _copy(self, root: Path) -> Copy:
        if root not in self._copies:
            self._copies[root] = self._look_for_copy(root)
        return self._copies[root]

    def _look_for_copy(self, root: Path) -> Copy:
        names = {"images": Images.pattern, "zips": Zips.pattern, "videos": self.video}
        wanted = {kind.name: names[kind.name] for kind in self.packagings}
        folders = find_folders(root, {"labels": LABELS, **wanted}, SKIPPED)
        labels = the_only(folders["labels"], root, "label files")
        found = []
        for kind in self.packagings:
            candidates = [
                kind(folder, self.activities, self.read_video_name, self.write_video_name)
                for folder in folders[kind.name]
            ]
            base = the_only([packed.base for packed in candidates if packed.subjects], root, kind.name)
            found += [packed for packed in candidates if packed.base == base]
        asked = self.options.packaging
        usable = sorted(
            (packed for packed in found if asked in ("auto", packed.name)),
            key=lambda packed: -len(packed.subjects & set(self.subjects())),
        )
        if not usable:
            empty = (
                f", with folders of subjects in {relative(folders['images'][0], root)} but no such files"
                if folders["images"]
                else ""
            )
            raise ClefError(
                f"{root}: no {'recordings' if asked == 'auto' else asked} of {self.title}; expected {self.expected}; "
                f"found {contents(root)}{empty}; put or link the raw data there"
            )
        first_image, reason = self._first_image(usable[0])
        return Copy(usable[0], [packed for packed in found if packed is not usable[0]], labels, first_image, reason)

    def _first_image(self, recordings: Packed) -> tuple[int | None, str | None]:
        """Number of the image of frame 1, and why; none for videos."""
        if not recordings.numbered:
            return None, None
        if self.options.first_image != "auto":
            return self.options.first_image, "dataset.options.first_image says so"
        zero = recordings.zero(self.subjects())
        if zero is None:
            return 1, "no image has number 0, so that images have the number of their frame"
        return 0, f"an image has number 0 ({zero}), so that images count from 0 and frames from 1"


def _label_files(folder: Path | None) -> dict[str, Path]:
    """Label files by recording."""
    if folder is None:
        return {}
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    return {name.rpartition(".")[0].upper(): folder / name for name in names if LABELS.fullmatch(name)}
