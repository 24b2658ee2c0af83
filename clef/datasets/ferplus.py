"""FER+ (Barsoum et al., ICMI 2016): votes of ten annotators on the images of FER2013.

fer2013.csv, or icml_face_data.csv         the images, 48 x 48 grey, one per row
fer2013new.csv                             FER+: the image name of each row, and votes
FER2013Train/label.csv, ...                FER+: the votes that its authors trained with

The manifest holds the raw votes. `labels.votes` of a run chooses how they are used.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.base import Packaging, sort_by_shard
from clef.datasets.image_dataset import UNLABELLED, ImageDataset, ImageDatasetOptions, Unlabelled
from clef.datasets.published_counts import PublishedCounts
from clef.datasets.readers.class_folders import SPLITS
from clef.datasets.readers.csv_file import read_columns, read_header
from clef.datasets.readers.ferplus_votes import FOLDERS, VoteRow, Votes, by_row, read_labels, read_rows
from clef.datasets.readers.find_folders import describe, find_folder, find_folders, relative
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = [f"votes_{name}" for name in (*EMOTIONS, "unknown", "no_face")]
"""Columns of the manifest."""
FER2013_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""Emotions by code in the table of images."""
IMAGES = ("fer2013.csv", "icml_face_data.csv")
ROWS = "fer2013new.csv"
MIN_ROWS_COMPARED = 50
"""Fewest rows of a usage that show whether two tables have the same images."""
MIN_KAPPA = 0.25
"""Lowest agreement (Cohen's kappa) of the emotions in FER2013 and FER+; it is near 0 for rows in another order."""
USAGE = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}


class FerPlusOptions(ImageDatasetOptions):
    """Options of FER+."""

    labels: Literal["label.csv", "fer2013new.csv"] = "label.csv"
    """Votes to use: those that FER+'s authors trained with, or the table that most other code reads."""
    tested: Literal["private", "public"] = "private"
    """The test split of FER2013 to use, private or public. The other is not used."""


class FerPlus(ImageDataset):
    """Adapter of FER+."""

    Options = FerPlusOptions
    options: FerPlusOptions
    label_names: ClassVar = list(EMOTIONS)
    vote_columns: ClassVar = tuple(VOTES)

    @property
    def published_counts(self) -> PublishedCounts:  # type: ignore[override]
        """Counts of the chosen label files; classes by majority."""
        return published_counts(self.options.labels, self.options.tested)

    @property
    def tests_as_published(self) -> bool:
        return self.options.tested == "private"

    def packaging(self, root: Path) -> Packaging:
        images, rows = _images(root), _rows(root)
        labels = rows if self.options.labels == ROWS else _label_folder(root) / "FER2013*/label.csv"
        return Packaging(
            images.stem,
            f"{relative(images, root)}, joined by row with {relative(rows, root)}, votes of {relative(labels, root)}",
        )

    def sequences(self, root: Path) -> list[RecordedSequence]:
        images, rows = _images(root), read_rows(_rows(root))
        _check_same_rows(images, rows)
        split_of = {"Training": "train", USAGE[self.options.tested]: "test"}
        splits = (split_of.get(usage, "unused") for usage, _, _ in rows)
        source = relative(images, root)
        return sort_by_shard(
            self._recording(f"row{row:05d}", self._block(row), "pixels", source, 0, split=split, inside=str(row))
            for row, split in enumerate(splits)
        )

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        return []

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        rows = read_rows(_rows(root))
        votes: list[Votes | None] = [own if name else None for _, name, own in rows]
        unlabelled: list[str] = []
        if self.options.labels == "label.csv":
            folder = _label_folder(root)
            votes = by_row(rows, read_labels(folder), folder)
            row_of = {name: row for row, (_, name, _) in enumerate(rows) if name}
            unlabelled = [f"{name} (in no label.csv)" for name, row in row_of.items() if votes[row] is None]
        table = [(s.sequence, s.first_frame, *own) for s in sequences if (own := votes[int(s.inside or 0)]) is not None]
        types = {"frame": "int32", **dict.fromkeys(VOTES, "int8")}
        labels = pd.DataFrame(table, columns=["sequence", "frame", *VOTES]).astype(types)
        labels.attrs[UNLABELLED] = Unlabelled(unlabelled, len(rows))
        return labels


def _images(root: Path) -> Path:
    return _find(root, "FER2013's images (of Kaggle's challenge)", *IMAGES)


def _rows(root: Path) -> Path:
    return _find(root, "FER+'s table (from its repository)", ROWS)


def _find(root: Path, description: str, *names: str) -> Path:
    for name in names:
        folder = find_folder(root, [name])
        if folder is not None:
            return folder / name
    found, hint = describe(root), ""
    if root.is_dir() and find_folders(root, SPLITS)["train"]:
        found += ": images without the rows that FER+'s votes are joined by"
        hint = ", or train on the classes of the folders with `adapter: folder`"
    raise ClefError(f"{root}: {found}; expected {description}: {' or '.join(names)}; put or link it there{hint}")


def _label_folder(root: Path) -> Path:
    names = list(FOLDERS.values())
    folder = find_folder(root, [f"{name}/label.csv" for name in names])
    if folder is None:
        raise ClefError(
            f"{root}: no folder with {', '.join(names)}, each with label.csv; expected FER+'s data folder (from its "
            "repository), or `options: {labels: fer2013new.csv}`; complete the copy"
        )
    return folder


def _check_same_rows(images: Path, rows: list[VoteRow]) -> None:
    """Check that two tables list the same images row by row."""
    own = _usages_and_emotions(images)
    if len(own) != len(rows):
        raise ClefError(f"{images}: {len(own)} rows, {ROWS} has {len(rows)}; expected the same rows; restore both")
    for row, ((usage, _), (other, _, _)) in enumerate(zip(own, rows, strict=True)):
        if usage != other:
            raise ClefError(
                f"{images}: row {row} is of {usage}, in {ROWS} of {other}; expected the same rows in the same order: "
                "restore both as released"
            )
    for usage in USAGE.values():
        pairs = [(code, votes) for (of, code), (_, name, votes) in zip(own, rows, strict=True) if of == usage and name]
        _check_agreement(images, usage, pairs)


def _check_agreement(images: Path, usage: str, pairs: list[tuple[str, Votes]]) -> None:
    """Check that the codes of FER2013 agree with the votes of FER+ better than by chance."""
    emotion_of = {str(code): emotion for code, emotion in enumerate(FER2013_EMOTIONS)}
    own = [(emotion_of.get(code), votes.index(max(votes))) for code, votes in pairs]
    named = [(emotion, EMOTIONS[winner]) for emotion, winner in own if emotion and winner < len(EMOTIONS)]
    if len(named) < MIN_ROWS_COMPARED:
        return
    agreeing = sum(emotion == voted for emotion, voted in named) / len(named)
    by_chance = sum(
        sum(emotion == name for emotion, _ in named) * sum(voted == name for _, voted in named) for name in EMOTIONS
    )
    chance = by_chance / len(named) ** 2
    if agreeing - chance < MIN_KAPPA * (1 - chance):
        raise ClefError(
            f"{images}: its emotions are those of the votes in {ROWS} in {agreeing:.0%} of {len(named)} rows of "
            f"{usage}, about as by chance ({chance:.0%}); expected the same rows in the same order: restore both as "
            "released"
        )


def _usages_and_emotions(path: Path) -> list[tuple[str, str]]:
    import pyarrow as pa

    expected = "the columns emotion, pixels, Usage"
    names = [name.lower() for name in read_header(path, expected)]
    if sorted(names) != ["emotion", "pixels", "usage"]:
        raise ClefError(f"{path}: starts with {', '.join(names)[:80]!r}; expected {expected}; restore it")
    types = dict.fromkeys(["usage", "emotion"], pa.string())
    table = read_columns(path, names, types, expected, skip_header=True)
    columns = [[cell.strip() for cell in table[name].to_pylist()] for name in types]
    return list(zip(*columns, strict=True))


NAMED_AND_CLASSES = {
    "label.csv": {
        "Training": (28_558, (8733, 7284, 3136, 3022, 2098, 116, 536, 120)),
        "PublicTest": (3_579, (1180, 862, 411, 348, 289, 25, 60, 16)),
        "PrivateTest": (3_573, (1083, 892, 394, 382, 269, 16, 86, 15)),
    },
    "fer2013new.csv": {
        "Training": (28_561, (8740, 7287, 3149, 3014, 2100, 119, 532, 119)),
        "PublicTest": (3_579, (1182, 865, 415, 351, 287, 24, 62, 13)),
        "PrivateTest": (3_574, (1090, 893, 396, 384, 273, 18, 83, 16)),
    },
}
"""Images with a name, and images of each class."""


def published_counts(source: str, tested: str) -> PublishedCounts:
    """Return the counts of a kind of label file and a test split."""
    counts = NAMED_AND_CLASSES[source]
    splits = {"train": counts["Training"], "test": counts[USAGE[tested]]}
    return PublishedCounts(
        source=f"FER+'s {source}, classes by majority as its authors process votes",
        sequences=35_887,
        labelled_frames=sum(named for named, _ in counts.values()),
        frames_by={"split": {split: named for split, (named, _) in splits.items()}},
        classes={split: dict(zip(EMOTIONS, classes, strict=True)) for split, (_, classes) in splits.items()},
    )


ADAPTER = FerPlus
