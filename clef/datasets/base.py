"""The interface of a data set adapter."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.params.schema import Params, ParamsError, Section
from clef.recordings.sequence import RecordedSequence, SequenceKind

NOT_CODED = 9
"""Raw code of an action unit that the coders could not see: unknown, not absent."""

if TYPE_CHECKING:
    import pandas as pd


class SubjectOptions(Section):
    """Choice of subjects, for laboratories that hold only some of them."""

    subjects: Annotated[list[str], Field(min_length=1)] | None = None
    """Subjects to use, such as [F001, M001]; null for all."""

    def selected(self, all_subjects: list[str], title: str) -> list[str]:
        """Return the chosen subjects, sorted; raise a `ParamsError` if one is unknown or appears twice."""
        chosen = self.subjects or all_subjects
        if len(set(chosen)) < len(chosen):
            raise ParamsError("dataset.options.subjects: expected each subject once")
        unknown = sorted(set(chosen) - set(all_subjects))
        if unknown:
            raise ParamsError(
                f"dataset.options.subjects: {title} has no subject {unknown[0]}; "
                f"expected some of {', '.join(all_subjects)}"
            )
        return sorted(chosen)


@dataclass(frozen=True)
class Packaging:
    """How a copy of a data set is packaged."""

    name: str
    found: str
    """What was found where, on one line."""
    offset: int | None = None
    """Label frame minus image number; None if the frames are not numbered images."""
    reason: str | None = None
    """Why this offset was chosen."""


class Dataset(ABC):
    """The files, labels and subjects of a data set, for the settings of one run.

    The rule graph is built from methods without `root`, so none of them may need the data. The others raise a
    `ClefError` of one line for files that do not fit, with what was found, what was expected, and what to do.
    """

    rendered: ClassVar[bool] = False
    """Whether the project draws the people itself."""
    label_names: ClassVar[list[str]]
    """Every label of the data set: `AU01` ... or class names."""
    all_labelled: ClassVar[bool] = False
    """Whether every image of a complete copy has a label, so that one without means an incomplete list."""
    vote_columns: ClassVar[tuple[str, ...]] = ()
    """Label columns with the votes of several annotators, such as `votes_anger`, instead of `expression`."""
    activities: ClassVar[dict[str, str]] = {}
    """Activity id to the key of its description in the texts file; empty without activities."""
    ignored_folders: ClassVar[Collection[str]] = ()
    """Lower-case names of folders that are not read, and not part of a data version."""
    label_suffixes: ClassVar[tuple[str, ...]] = (".csv", ".txt")
    """Endings, in lower case, of the names of label files."""
    Options: ClassVar[type[Section]] = Section
    """Schema of `dataset.options`."""
    options: Section
    crop_options: ClassVar[frozenset[str]] = frozenset()
    """Options that change the crops of a recording. Any option may change the recordings listed and the labels."""
    digest_whole_folder: ClassVar[bool] = False
    """Whether a shard's digest covers the whole raw folder, for data sets whose images are listed in large tables."""
    partitions: ClassVar[dict[str, list[list[str]]]] = {}
    """Published folds, the standard ones first: name to the test subjects of each fold. See `folds.partition`."""
    published_as: ClassVar[dict[str, list[str]]] = {}
    """Partition name to the numbers that publications give to each of its folds."""
    published_counts: ClassVar[PublishedCounts | None] = None

    def __init__(self, params: Params) -> None:
        """Validate `dataset.options`, or raise a `ValidationError`."""
        self.params = params
        self.name = params.dataset.name
        self.options = self.Options.model_validate(params.dataset.options)

    def shards(self) -> list[str]:
        """Names of the shards. Each is cropped by one job."""
        return self.subjects()

    @abstractmethod
    def subjects(self) -> list[str]:
        """Subject ids; empty for data sets without subjects."""

    def expected_sequences(self) -> list[str]:
        """Recordings of a complete copy; empty if only the copy itself lists them."""
        return []

    def labelled_sequences(self) -> list[str]:
        """Recordings of a complete copy that have labels."""
        return self.expected_sequences()

    def version_of(self, shard: str) -> str:
        """Name of the DVC pointer that versions a shard's recordings."""
        return shard

    def completion_marker(self) -> str | None:
        """File in the raw folder that marks complete raw data, if the project generates the data itself."""
        return None

    @property
    def tests_as_published(self) -> bool:
        """Whether the run's options keep the published test set."""
        return getattr(self.options, "subjects", None) is None

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        """Published counts of the packaging found in `root`."""
        return self.published_counts

    def packaging(self, root: Path) -> Packaging:
        """Find out how the copy in `root` is packaged."""
        return Packaging("plain", f"files of the adapter {self.params.dataset.adapter}")

    @abstractmethod
    def sequences(self, root: Path) -> list[RecordedSequence]:
        """List the recordings in `root` without opening them, sorted by shard and name."""

    def missing_recordings(self, root: Path) -> list[RecordedSequence]:
        """List recordings that have labels but no files, with `problem` set to `MISSING`.

        `sequences` leaves them out, so that adding a label file does not change a shard. Their labelled frames count
        like those of a broken recording.
        """
        return []

    @abstractmethod
    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        """List files among the recordings and labels that belong to no recording, relative to `root`.

        The user is warned of them: misspelt names, duplicates, or labels whose recording is missing.
        """

    @abstractmethod
    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        """Read the raw labels. Recordings without a label file have no rows.

        Returns:
            Columns `sequence`, `frame` and one per label: `AU01` ... with occurrence codes or intensities (9 or
            missing if unknown), or `expression` with the class name, or votes.
        """

    def _recording(
        self, sequence: str, shard: str, kind: SequenceKind, source: str, first_frame: int, **details: Any
    ) -> RecordedSequence:
        known = {"subject": None, "activity": None, "split": None, "kind": kind, "source": source, **details}
        return RecordedSequence(self.name, sequence, shard=shard, first_frame=first_frame, **known)


def sort_by_shard(sequences: Iterable[RecordedSequence]) -> list[RecordedSequence]:
    """Sort recordings by shard and name, the order of rows in a shard."""
    return sorted(sequences, key=lambda sequence: (sequence.shard, sequence.sequence))


def join_labels(tables: "Mapping[str, pd.DataFrame]", folder: Path, expected: str) -> "pd.DataFrame":
    """Join the label tables of recordings into one with a column `sequence`."""
    import pandas as pd

    if not tables:
        raise ClefError(f"{folder}: no labels of any recording; expected {expected}")
    for name, table in tables.items():
        table.insert(0, "sequence", name)
    return pd.concat(tables.values(), ignore_index=True)


def files_except(root: Path, patterns: Iterable[str], known: Collection[str]) -> list[str]:
    """List files that match the patterns below `root`, except known ones, hidden ones and DVC pointers."""
    found = {path for pattern in patterns for path in root.glob(pattern) if not path.name.startswith(".")}
    names = {path.relative_to(root).as_posix() for path in found if path.suffix != ".dvc"}
    return sorted(names - set(known))
