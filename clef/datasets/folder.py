"""Your own data: videos or images in folders, and a csv table of their labels.

labels.csv                       path,subject,activity,frame,AU01,AU12
videos/P01/talk.mp4              videos/P01/talk.mp4,P01,talk,1,0,1

A row labels one frame, or the whole recording if it has no frame. A row without labels only lists a recording.
`clef.datasets.readers.label_table` reads the table. Without a table, the path of a recording gives its class:
train/happiness/0.jpg
"""

import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from clef.datasets.base import Dataset, Packaging, sort_by_shard
from clef.datasets.readers.label_table import LabelTable, is_below, labels_in_paths, read_label_table
from clef.datasets.readers.label_times import label_frames
from clef.errors import ClefError
from clef.params.schema import NAME, NAME_EXPECTED, Count, Fraction, Params, ParamsError, Section
from clef.recordings.media_files import media_below, media_kind
from clef.recordings.numbered_images import numbered_images
from clef.recordings.sequence import RecordedSequence, SequenceKind

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 8


class FolderOptions(Section):
    """Options of your own data."""

    labels: str | None = "labels.csv"
    """Path of the label table, relative to the raw folder; null if `pattern` finds the class in the paths."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Names of columns in the table, such as {path: file, subject: participant, AU12: smile}."""
    pattern: str | None = None
    """Regular expression on a path, such as (?P<subject>P[0-9]+)/(?P<activity>[a-z]+), with a group named subject,
    activity, split or expression for each value that has no column in the table."""
    classes: list[str] | dict[int | str, str] | None = None
    """Names of classes: a list in the order of their numbers, if expressions are numbers, or {angry: anger, sad:
    sadness} to rename them."""
    subjects: list[str] = Field(default_factory=list)
    """All subject ids, for folds by subject; not needed with `folds.test_subjects`."""
    activities: dict[str, str] = Field(default_factory=dict)
    """Maps each activity in the table to the key of its description in the texts file; needed for stage 1."""
    first_frame: Literal[0, 1] = 1
    """Number of the first frame of a video in the table."""
    test_share: Fraction = 0.2
    """Fraction of subjects, or of recordings if there are no subjects, used for testing if the protocol is `official`
    and the table has no column `split`."""
    seed: int = 0
    """Seed for selecting the test subjects or recordings."""
    absent_elsewhere: bool = False
    """Whether action units are absent in all frames without a label, in videos with labels by time: coders often note
    only where a unit is present."""
    links: bool = False
    """Whether links in the raw folder may lead outside it. The raw folder itself may always be a link."""
    blocks: Count | None = None
    """Number of cropping jobs; by default one per subject, or 8 without subjects."""

    @field_validator("labels")
    @classmethod
    def _below(cls, value: str | None) -> str | None:
        if value is not None and not is_below(value):
            raise ValueError("expected a path below the raw folder")
        return value


class Folder(Dataset):
    """Adapter of your own data."""

    Options: ClassVar[type[Section]] = FolderOptions
    options: FolderOptions
    crop_options: ClassVar = frozenset({"labels", "columns", "pattern", "first_frame", "blocks"})
    label_names: ClassVar = [f"AU{number:02d}" for number in range(1, 70)]
    """An instance has the labels of its run."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        zero_shot = params.labels.zero_shot if params.test is None else []
        self.label_names = [*params.labels.names, *zero_shot]  # type: ignore[misc]
        self.activities = self.options.activities  # type: ignore[misc]
        table = self.options.labels
        self.label_suffixes = (PurePosixPath(table).name.lower(),) if table else ()  # type: ignore[misc]
        tested = {subject for fold in params.folds.test_subjects or [] for subject in fold}
        self._subjects = sorted(tested.union(self.options.subjects))
        if params.folds.protocol == "subjects" and not self.subjects():
            raise ParamsError(
                "dataset.options.subjects: missing; folds by subject need all subject ids, such as [P01, P02]; without "
                "subjects set `folds: {protocol: official, number: 1}`"
            )
        if (bad := next((subject for subject in self.subjects() if not NAME.fullmatch(subject)), None)) is not None:
            raise ParamsError(f"dataset.options.subjects: {bad!r}: expected {NAME_EXPECTED}, since they name files")
        if self.options.labels is None and "(?P<expression>" not in (self.options.pattern or ""):
            raise ParamsError(
                "dataset.options.pattern: without a table of labels, expected a group expression, such as "
                "'(?P<split>train|test)/(?P<expression>[a-z]+)/'"
            )
        blocks, subjects = self.options.blocks, len(self.subjects())
        if blocks is not None and 0 < subjects < blocks:
            raise ParamsError(f"dataset.options.blocks: {blocks} of {subjects} subjects; expected {subjects} or fewer")
        self._table = cache(self._read_table)

    def subjects(self) -> list[str]:
        return self._subjects

    def shards(self) -> list[str]:
        if self.subjects() and self.options.blocks is None:
            return self.subjects()
        return [f"block{number:03d}" for number in range(self.options.blocks or BLOCKS)]

    def version_of(self, shard: str) -> str:
        return "recordings"

    def packaging(self, root: Path) -> Packaging:
        table = self._table(root)
        by_frame, by_time = (int(table.labels[column].notna().sum()) for column in ("frame", "onset"))
        counts = {"by frame": by_frame, "by time": by_time}
        counts["of whole recordings"] = len(table.labels) - sum(counts.values())
        found = [f"{self.options.labels or 'pattern'} lists {len(table.recordings)} recordings"]
        found += [f"{count} labels {what}" for what, count in counts.items() if count]
        return Packaging("folder", ", ".join(found))

    def sequences(self, root: Path) -> list[RecordedSequence]:
        listed = [self._sequence(*row) for row in self._table(root).recordings.itertuples(index=False, name=None)]
        if not self.options.links:
            _check_links(root, [sequence.source for sequence in listed])
        sources: dict[str, str] = {}
        for name, source in ((sequence.sequence, sequence.source) for sequence in listed):
            if (other := sources.setdefault(name, source)) != source:
                raise ClefError(f"{root}: {other} and {source} would both be named {name}; rename one")
        return sort_by_shard(listed)

    def _sequence(self, path: str, subject: str | None, activity: str | None, split: str | None) -> RecordedSequence:
        kind: SequenceKind = media_kind(path) or "images"
        name = (path if kind == "images" else path.rpartition(".")[0]).replace("/", "_")
        first_frame = self.options.first_frame if kind == "video" else 0
        known = {"subject": subject, "activity": activity, "split": split or self._drawn_split(subject or path)}
        return self._recording(name, self._shard(subject, path), kind, path, first_frame, **known)

    def _drawn_split(self, unit: str) -> str:
        """Draw the split of a subject or recording, independent of the others.

        The draw ignores the run's folds, because runs with other folds share the list of recordings.
        """
        chance = zlib.crc32(f"{self.options.seed} {unit}".encode()) / 2**32
        return "test" if chance < self.options.test_share else "train"

    def _shard(self, subject: str | None, path: str) -> str:
        subjects, shards = self.subjects(), self.shards()
        if not subjects:
            return shards[zlib.crc32(path.encode()) % len(shards)]
        if self.options.blocks is None:
            return str(subject)
        return shards[subjects.index(str(subject)) % len(shards)]

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        path, table = root / (self.options.labels or ""), self._table(root).labels
        wanted = self.label_names if self.params.labels.kind == "action_units" else ["expression"]
        if self.options.absent_elsewhere and self.params.labels.kind == "action_units":
            # A unit that never occurs is not in a list of events.
            table = table.assign(
                **{name: pd.array([pd.NA] * len(table), "Int8") for name in wanted if name not in table}
            )
        missing = [name for name in wanted if name not in table]
        if missing:
            raise ClefError(
                f"{path}: no column {missing[0]}, which the run's labels name; add it, or see dataset.options.columns"
            )
        rows_of = {str(source): rows for source, rows in table.groupby("path", sort=False)}
        parts = [table.iloc[:0].drop(columns=["onset", "offset"]).assign(sequence=pd.Series(dtype=object))]
        for sequence in sequences:
            rows = rows_of.get(sequence.source)
            if rows is None:
                continue
            timed = rows["onset"].notna()
            by_frame = rows[rows["frame"].notna()].drop(columns=["onset", "offset"])
            if sequence.kind == "image" and len(by_frame):
                frame = by_frame["frame"].iloc[0]
                raise ClefError(f"{path}: {sequence.source} is an image and its row has frame {frame}; expected none")
            whole = rows[rows["frame"].isna() & ~timed].drop(columns=["frame", "onset", "offset"])
            if len(whole):
                whole = whole.merge(pd.DataFrame({"frame": _frames(root, sequence)}), how="cross")
                parts.append(whole.assign(sequence=sequence.sequence))
            if timed.any():
                parts.append(self._by_time(root, sequence, rows[timed]).assign(sequence=sequence.sequence))
            parts.append(by_frame.assign(sequence=sequence.sequence))
        labels = pd.concat(parts, ignore_index=True).astype({"frame": "int32"})
        return labels[["sequence", "frame", *(name for name in labels if name not in ("sequence", "frame", "path"))]]

    def _by_time(self, root: Path, sequence: RecordedSequence, rows: "pd.DataFrame") -> "pd.DataFrame":
        from clef.recordings.video import frame_times

        where = f"{root / (self.options.labels or '')}: {sequence.source}"
        if sequence.kind != "video":
            raise ClefError(f"{where}: labels by time, but it is no video; expected a frame in each row")
        units = [str(name) for name in rows if str(name).startswith("AU")] if self.options.absent_elsewhere else []
        try:
            times = frame_times(root / sequence.source)
        except ClefError:  # reported and judged as an unreadable recording
            return rows.iloc[:0].drop(columns=["onset", "offset"])
        if times is None:
            raise ClefError(f"{where}: the video has no presentation times and no frame rate; convert it to MP4")
        try:
            return label_frames(rows.drop(columns=["path", "frame"]), times, sequence.first_frame, units)
        except ClefError as error:
            raise ClefError(f"{where}: {error}") from None

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {sequence.source for sequence in sequences}
        folders = {source.rpartition("/")[0] for source in known}
        unexpected = [f"{self.options.labels}: column {name}" for name in self._table(root).unused]
        for folder, media in media_below(root, known):
            unknown = [name for name in media if name not in known]
            # Name a folder without any known recording only once: it may hold thousands of files.
            unexpected += unknown if folder in folders or len(unknown) < 2 else [folder or "."]
        return sorted(unexpected)

    def _read_table(self, root: Path) -> LabelTable:
        options = self.options
        path = root / (options.labels or "")
        if options.labels is None:
            names = (name for _, media in media_below(root) for name in media)
            table = labels_in_paths(path, names, options.pattern or "", options.classes)
        else:
            table = read_label_table(path, options.columns, options.pattern, options.classes)
        _check_known(path, table, "subject", self.subjects(), "subjects")
        _check_known(path, table, "activity", list(self.activities), "activities")
        return table


def _check_known(path: Path, table: LabelTable, column: str, known: list[str], option: str) -> None:
    """Check that every recording has one of the run's subjects or activities."""
    if not known:
        return
    found = table.recordings[column]
    if found.isna().any():
        recording = table.recordings.loc[found.isna(), "path"].iloc[0]
        raise ClefError(
            f"{path}: {recording} has no {column}; expected a column {column} filled in every row, or "
            "dataset.options.pattern"
        )
    unknown = sorted(set(found) - set(known))
    if unknown:
        every = ", ".join(sorted({*known, *unknown}))
        raise ClefError(
            f"{path}: {column} {unknown[0]} is not among dataset.options.{option}; the table and it together have "
            f"[{every}]: complete one or the other"
        )


def _check_links(root: Path, sources: Iterable[str]) -> None:
    """Refuse links that lead out of the raw folder: a foreign data set could read any file of the user."""
    real_root = root.resolve()
    is_inside = cache(lambda path: path.resolve().is_relative_to(real_root))
    for path in (root / source for source in sources):
        if not is_inside(path.parent) or (path.is_symlink() and not is_inside(path)):
            raise ClefError(
                f"{path}: a link leads out of {root}, to {path.resolve()}; move the file there, or set "
                "`dataset: {options: {links: true}}` if you made the link yourself"
            )


def _frames(root: Path, sequence: RecordedSequence) -> list[int]:
    """Frames of a whole recording; only the first if it was not opened, so that it counts as labelled."""
    if sequence.kind == "images":
        try:
            return [sequence.first_frame + number for number, _ in numbered_images(root / sequence.source)]
        except ClefError:
            return [sequence.first_frame]
    return list(range(sequence.first_frame, sequence.first_frame + (sequence.frames or 1)))


ADAPTER = Folder
