"""The interface that every data set implements."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.published_counts import Packaging, PublishedCounts
from clef.params.schema import Section
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

    from clef.params.schema import Params

PLAIN = "plain"
"""Name of the packaging of an adapter that knows only one."""


class Dataset(ABC):
    """Where a data set's files are, what its labels mean, and who is in it.

    Nothing here needs the data to be present except `sequences` and `labels`: the rule graph is built without it.
    """

    label_names: ClassVar[list[str]]
    """Every label that the data set codes: `AU01` ... or class names."""
    all_labelled: ClassVar[bool] = False
    """Whether every image of a complete copy has a label, so that one without means that its list is not whole."""
    vote_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of labels where the data set gives the votes of several annotators instead of a class, such as
    `votes_anger`; `clef.datasets.votes` says how they are named, and `labels.votes` of a run what becomes of them."""
    activities: ClassVar[dict[str, str]] = {}
    """Activity id to the key of its description in the texts file; empty without activities."""
    ignored_folders: ClassVar[Collection[str]] = ()
    """Lower-case names of folders that nothing here reads, and that no version of the data holds."""
    Options: ClassVar[type[Section]] = Section
    """What `dataset.options` may say; nothing, unless an adapter has options."""
    options: Section
    crop_options: ClassVar[frozenset[str]] = frozenset()
    """Options on which it depends what is cropped, beyond which recordings there are; crops are made anew when one
    changes. On any option the list of recordings and the labels may depend."""
    digest_whole_folder: ClassVar[bool] = False
    """Whether all that is below the raw folder stands for what a shard is cropped from, since only large tables tell
    what that is."""
    partitions: ClassVar[dict[str, list[list[str]]]] = {}
    """Published folds, the usual ones first: name to the test subjects of each fold. `folds.partition` names one."""
    published_as: ClassVar[dict[str, list[str]]] = {}
    """By name of a partition: what publications call each of its folds, since they number them differently."""
    published_counts: ClassVar[PublishedCounts | None] = None
    """Published counts and rates, where there are any."""

    def __init__(self, params: "Params") -> None:
        """Take the settings of a run.

        Raises:
            ValidationError: `dataset.options` are not those of the adapter.
        """
        self.params = params
        self.name = params.dataset.name
        self.options = self.Options.model_validate(params.dataset.options)

    @abstractmethod
    def shards(self) -> list[str]:
        """Names of the shards, each cropped by one job."""

    @abstractmethod
    def subjects(self) -> list[str]:
        """Subject ids; empty for data sets without subjects."""

    @abstractmethod
    def expected_sequences(self) -> list[str]:
        """Names of the recordings that a complete copy has."""

    def published_counts_of(self, root: Path) -> PublishedCounts | None:
        """What is published of the packaging below `root`, where packagings differ."""
        return self.published_counts

    def completion_marker(self) -> str | None:
        """File below the raw folder that says the raw data is complete, where the project makes it itself."""
        return None

    def packaging(self, root: Path) -> Packaging:
        """How the copy below `root` is packed.

        Raises:
            ClefError: As nothing that the adapter knows.
        """
        return Packaging(PLAIN, f"files of the adapter {self.params.dataset.adapter}")

    @property
    def tests_as_published(self) -> bool:
        """Whether the options leave in everybody and everything that publications test on."""
        return getattr(self.options, "subjects", None) is None

    def version_of(self, shard: str) -> str:
        """Name of the DVC pointer of a shard's recordings: its own, unless shards lie mixed in one folder."""
        return shard

    @abstractmethod
    def sequences(self, root: Path) -> list[RecordedSequence]:
        """List the recordings below `root` by name and number, without opening them, sorted by shard and name."""

    def missing_recordings(self, root: Path) -> list[RecordedSequence]:
        """Recordings that are not below `root`, though their labels are; `problem` is `MISSING`.

        They are not among `sequences`, of which shards are made: labels that are added make no shard another. Their
        labelled frames count all the same, as those of a recording that is there and broken.
        """
        return []

    def labelled_sequences(self) -> list[str]:
        """Names of the recordings that a complete copy has labels for; of all, unless said otherwise."""
        return self.expected_sequences()

    @abstractmethod
    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        """Files and entries, below `root` and in the places of recordings and labels, that belong to none of these.

        They are named to the user and not used: a misspelt name, a copy, labels whose recording is not there.
        """

    @abstractmethod
    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        """Read the raw labels of these recordings; one without a file of labels has no rows.

        Returns:
            Columns `sequence`, `frame` and one raw column per label: `AU01` ... with occurrence codes or
            intensities (9 or missing where unknown), or `expression` with the name of the class.
        """


def unexpected_files(root: Path, patterns: Iterable[str], known: Collection[str]) -> list[str]:
    """Files in the places that the patterns name, below `root`, other than the known ones.

    Hidden ones and DVC's pointers are no data.
    """
    there = {path for pattern in patterns for path in root.glob(pattern) if not path.name.startswith(".")}
    there = {path for path in there if path.suffix != ".dvc"}
    return sorted({path.relative_to(root).as_posix() for path in there} - set(known))
