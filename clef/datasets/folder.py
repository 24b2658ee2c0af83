"""One's own data: videos or images in folders, and a table that names them with their labels.

labels.csv                       path,subject,activity,frame,AU01,AU12
videos/P01/talk.mp4              videos/P01/talk.mp4,P01,talk,1,0,1

A row labels the frame that it names; without a frame, or without that column, the whole recording. A row without labels
says that there is a recording. `clef.datasets.readers.label_table` reads the table.
"""

import os
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from clef.datasets.base import Dataset
from clef.datasets.published_counts import Packaging
from clef.datasets.readers.label_table import LabelTable, is_below, read_label_table
from clef.errors import ClefError
from clef.params.schema import NAME, NAME_EXPECTED, Count, Fraction, ParamsError, Section
from clef.recordings.numbered_images import IMAGE_SUFFIXES, numbered_images
from clef.recordings.sequence import RecordedSequence, SequenceKind

if TYPE_CHECKING:
    import pandas as pd

    from clef.params.schema import Params

VIDEO_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}
BLOCKS = 8
IMAGE = 0
"""The only frame of an image."""


class FolderOptions(Section):
    """How the table is to be read, and who and what is in it."""

    labels: str = "labels.csv"
    """The table, below the raw folder."""
    columns: dict[str, str] = Field(default_factory=dict)
    """What the table calls its columns, such as {path: file, subject: participant, AU12: smile}."""
    pattern: str | None = None
    """Regular expression on a path, such as (?P<subject>P[0-9]+)/(?P<activity>[a-z]+), for what the table has no column
    of: groups subject, activity or split."""
    subjects: list[str] = Field(default_factory=list)
    """Everybody's id, for folds by subject; not needed with `folds.test_subjects`."""
    activities: dict[str, str] = Field(default_factory=dict)
    """Each activity of the table and the key of its description in the texts file; needed for stage 1."""
    first_frame: Literal[0, 1] = 1
    """Number that the table gives to the first frame of a video."""
    test_share: Fraction = 0.2
    """Share of subjects, or of recordings without subjects, that are tested with protocol official and no column
    `split`."""
    seed: int = 0
    """Draws who these are."""
    links: bool = False
    """Whether what the table names may lie elsewhere, where links in the raw folder lead. That folder may itself be
    a link in any case."""
    blocks: Count | None = None
    """Number of jobs that crop; one a subject without, or 8 without subjects."""

    @field_validator("labels")
    @classmethod
    def _below(cls, value: str) -> str:
        if not is_below(value):
            raise ValueError("expected a path below the raw folder")
        return value


class Folder(Dataset):
    """Whatever a laboratory has."""

    Options: ClassVar[type[Section]] = FolderOptions
    options: FolderOptions
    crop_options: ClassVar = frozenset({"labels", "columns", "pattern", "first_frame", "blocks"})
    label_names: ClassVar = [f"AU{number:02d}" for number in range(1, 70)]
    """Of a run: those that it wants."""

    def __init__(self, params: "Params") -> None:
        super().__init__(params)
        self.label_names = list(params.labels.names)  # type: ignore[misc]
        self.activities = self.options.activities  # type: ignore[misc]
        if params.folds.protocol == "subjects" and not self.subjects():
            raise ParamsError(
                "dataset.options.subjects: missing; folds by subject need everybody's id, such as [P01, P02]; without "
                "subjects say `folds: {protocol: official, number: 1}`"
            )
        for subject in self.subjects():
            if not NAME.fullmatch(subject):
                raise ParamsError(
                    f"dataset.options.subjects: {subject!r}: expected {NAME_EXPECTED}, since they name files"
                )
        blocks, subjects = self.options.blocks, len(self.subjects())
        if blocks is not None and 0 < subjects < blocks:
            raise ParamsError(f"dataset.options.blocks: {blocks} of {subjects} subjects; expected {subjects} or fewer")
        self._tables: dict[Path, LabelTable] = {}

    def subjects(self) -> list[str]:
        given = self.params.folds.test_subjects or []
        return sorted(set(self.options.subjects) | {subject for fold in given for subject in fold})

    def shards(self) -> list[str]:
        if self.subjects() and self.options.blocks is None:
            return self.subjects()
        return [f"block{number:03d}" for number in range(self.options.blocks or BLOCKS)]

    def expected_sequences(self) -> list[str]:
        return []

    def version_of(self, shard: str) -> str:
        return "recordings"

    def packaging(self, root: Path) -> Packaging:
        table = self._table(root)
        kinds = [self._kind(path) for path in table.recordings["path"]]
        names = {"video": "videos", "images": "folders of images", "image": "images"}
        counts = ", ".join(f"{kinds.count(kind)} {name}" for kind, name in names.items() if kind in kinds)
        by_frame = int(table.labels["frame"].notna().sum())
        whole = len(table.labels) - by_frame
        labels = ", ".join(f"{n} {what}" for n, what in ((by_frame, "by frame"), (whole, "of whole recordings")) if n)
        return Packaging("folder", f"{self.options.labels} names {counts}; labels: {labels or 'none'}")

    def sequences(self, root: Path) -> list[RecordedSequence]:
        listed = [self._sequence(*row) for row in self._table(root).recordings.itertuples(index=False, name=None)]
        if not self.options.links:
            _require_inside(root, [sequence.source for sequence in listed])
        sources: dict[str, str] = {}
        for sequence in listed:
            other = sources.setdefault(sequence.sequence, sequence.source)
            if other != sequence.source:
                raise ClefError(
                    f"{root}: {other} and {sequence.source} would both be named {sequence.sequence}; rename one"
                )
        return sorted(listed, key=lambda sequence: (sequence.shard, sequence.sequence))

    def _sequence(self, path: str, subject: str | None, activity: str | None, split: str | None) -> RecordedSequence:
        kind = self._kind(path)
        return RecordedSequence(
            dataset=self.name,
            sequence=(path if kind == "images" else path.rpartition(".")[0]).replace("/", "_"),
            subject=subject,
            activity=activity,
            split=split or self._drawn(subject or path),
            shard=self._shard(subject, path),
            kind=kind,
            source=path,
            first_frame=self.options.first_frame if kind == "video" else 0,
        )

    def _drawn(self, who: str) -> str:
        """Split of a subject or a recording, which stays its own when others come and go.

        Drawn whatever the run's folds: runs share one list of recordings, and another may go by it.
        """
        chance = zlib.crc32(f"{self.options.seed} {who}".encode()) / 2**32
        return "test" if chance < self.options.test_share else "train"

    def _shard(self, subject: str | None, path: str) -> str:
        subjects = self.subjects()
        if not subjects:
            return self.shards()[zlib.crc32(path.encode()) % len(self.shards())]
        if self.options.blocks is None:
            return str(subject)
        return self.shards()[subjects.index(str(subject)) % self.options.blocks]

    def _kind(self, path: str) -> SequenceKind:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in VIDEO_SUFFIXES:
            return "video"
        return "image" if suffix in IMAGE_SUFFIXES else "images"

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        wanted = self.label_names if self.params.labels.kind == "action_units" else ["expression"]
        missing = [name for name in wanted if name not in self._table(root).labels]
        if missing:
            raise ClefError(
                f"{root / self.options.labels}: no column {missing[0]}, which the run's labels name; add it, or see "
                "dataset.options.columns"
            )
        rows_of = {str(path): rows for path, rows in self._table(root).labels.groupby("path", sort=False)}
        parts = [self._table(root).labels.iloc[:0].assign(sequence=pd.Series(dtype=object))]
        for sequence in sequences:
            rows = rows_of.get(sequence.source)
            if rows is None:
                continue
            named = rows[rows["frame"].notna()]
            if sequence.kind == "image" and len(named):
                raise ClefError(
                    f"{root / self.options.labels}: {sequence.source} is an image and its row has frame "
                    f"{named['frame'].iloc[0]}; expected none"
                )
            whole = rows[rows["frame"].isna()].drop(columns="frame")
            if len(whole):
                whole = whole.merge(pd.DataFrame({"frame": _frames(root, sequence)}), how="cross")
                parts.append(whole.assign(sequence=sequence.sequence))
            parts.append(named.assign(sequence=sequence.sequence))
        labels = pd.concat(parts, ignore_index=True).astype({"frame": "int32"})
        return labels[["sequence", "frame", *(name for name in labels if name not in ("sequence", "frame", "path"))]]

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {sequence.source for sequence in sequences}
        folders = {source.rpartition("/")[0] for source in known}
        strange = [f"{self.options.labels}: column {name}" for name in self._table(root).unused]
        for folder, below, names in os.walk(root):
            here = Path(folder).relative_to(root).as_posix().removeprefix(".")
            below[:] = sorted(name for name in below if not name.startswith(".") and _join(here, name) not in known)
            media = [_join(here, name) for name in sorted(names) if _is_recording(name)]
            unknown = [path for path in media if path not in known]
            # A folder in which nothing is listed is told by its own name: it may hold thousands.
            strange += unknown if here in folders or len(unknown) < 2 else [here or "."]
        return sorted(strange)

    def _table(self, root: Path) -> LabelTable:
        if root not in self._tables:
            path = root / self.options.labels
            table = read_label_table(path, self.options.columns, self.options.pattern)
            for known, column, option in (
                (self.subjects(), "subject", "subjects"),
                (list(self.activities), "activity", "activities"),
            ):
                _require_known(path, table, column, known, option)
            self._tables[root] = table
        return self._tables[root]


def _require_known(path: Path, table: LabelTable, column: str, known: list[str], option: str) -> None:
    """Refuse rows of somebody, or of something, that the run does not know."""
    if not known:
        return
    found = table.recordings[column]
    if found.isna().any():
        which = table.recordings.loc[found.isna(), "path"].iloc[0]
        raise ClefError(
            f"{path}: {which} has no {column}; expected a column {column}, filled in every row, or "
            f"dataset.options.pattern"
        )
    unknown = sorted(set(found) - set(known))
    if unknown:
        every = ", ".join(sorted({*known, *unknown}))
        raise ClefError(
            f"{path}: {column} {unknown[0]} is not among dataset.options.{option}; the table and it together have "
            f"[{every}]: complete the one or the other"
        )


def _require_inside(root: Path, sources: Iterable[str]) -> None:
    """Refuse what links lead to outside the raw folder: a data set from elsewhere could name any file of this user."""
    inside = root.resolve()
    folders: dict[Path, bool] = {}
    for source in sources:
        path = root / source
        if path.parent not in folders:
            folders[path.parent] = path.parent.resolve().is_relative_to(inside)
        if not folders[path.parent] or (path.is_symlink() and not path.resolve().is_relative_to(inside)):
            raise ClefError(
                f"{path}: a link leads out of {root}, to {path.resolve()}; move it there, or say "
                "`dataset: {options: {links: true}}` if you made the link yourself"
            )


def _frames(root: Path, sequence: RecordedSequence) -> list[int]:
    """Frames of a whole recording; of one that was not opened only the first, so that it counts as labelled."""
    if sequence.kind == "images":
        try:
            return [sequence.first_frame + number for number, _ in numbered_images(root / sequence.source)]
        except ClefError:
            return [sequence.first_frame]
    return list(range(sequence.first_frame, sequence.first_frame + (sequence.frames or 1)))


def _is_recording(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return not name.startswith(".") and (suffix in VIDEO_SUFFIXES or suffix in IMAGE_SUFFIXES)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


ADAPTER = Folder
