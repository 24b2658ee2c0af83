"""FER+ (Barsoum et al., ICMI 2016): votes of ten annotators on the images of FER2013.

fer2013.csv, or icml_face_data.csv         the images, 48 x 48 grey, a row each
fer2013new.csv                             FER+: which image is in which row, and votes
FER2013Train/label.csv, ...                FER+: votes, as its authors trained with

The manifest has the raw votes; what becomes of them is the run's `labels.votes`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from clef.datasets.image_dataset import ImageDataset, ImageDatasetOptions
from clef.datasets.published_counts import Packaging, PublishedCounts
from clef.datasets.readers.ferplus_votes import FOLDERS, Votes, by_row, read_labels, read_rows
from clef.datasets.readers.find_root import find_folder, found_in
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = [f"votes_{name}" for name in (*EMOTIONS, "unknown", "no_face")]
"""Columns of the manifest."""
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""By the code of the images' own table, which nothing else here goes by."""
IMAGES = ("fer2013.csv", "icml_face_data.csv")
ROWS = "fer2013new.csv"
ROWS_COMPARED = 50
"""Rows of a usage from which it shows whether two tables are of the same images."""
LEAST_AGREEMENT = 0.25
"""Of FER2013's emotions with FER+'s, beyond chance (Cohen's kappa); of rows in another order it is near 0."""
USAGE = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}


class FerPlusOptions(ImageDatasetOptions):
    """Options of FER+."""

    labels: Literal["label.csv", "fer2013new.csv"] = "label.csv"
    """Whose votes count: those of the files that FER+'s authors trained with, or of the table that most others read."""
    tested: Literal["private", "public"] = "private"
    """The test split: FER2013's private or public one. The other is neither trained on nor tested."""


class FerPlus(ImageDataset):
    """FER2013's images with FER+'s votes."""

    Options = FerPlusOptions
    options: FerPlusOptions
    label_names: ClassVar = list(EMOTIONS)
    vote_columns: ClassVar = tuple(VOTES)

    @property
    def published_counts(self) -> PublishedCounts:  # type: ignore[override]
        """Counts of the label files that the options choose; classes by majority."""
        return PUBLISHED[self.options.labels, self.options.tested]

    @property
    def tests_as_published(self) -> bool:
        return self.options.tested == "private"

    def packaging(self, root: Path) -> Packaging:
        images, rows = _images(root), _rows(root)
        labels = rows if self.options.labels == ROWS else _label_folder(root) / "FER2013*/label.csv"
        return Packaging(
            images.stem,
            f"{images.relative_to(root)}, joined by row with {rows.relative_to(root)}, votes of "
            f"{labels.relative_to(root)}",
        )

    def sequences(self, root: Path) -> list[RecordedSequence]:
        images, rows = _images(root), read_rows(_rows(root))
        _require_same_rows(images, rows)
        split_of = {"Training": "train", USAGE[self.options.tested]: "test"}
        source = images.relative_to(root).as_posix()
        found = [
            RecordedSequence(
                dataset=self.name,
                sequence=f"row{row:05d}",
                subject=None,
                activity=None,
                split=split_of.get(usage, "unused"),
                shard=self._block(row),
                kind="pixels",
                source=source,
                first_frame=0,
                inside=str(row),
            )
            for row, (usage, _, _) in enumerate(rows)
        ]
        return sorted(found, key=lambda image: (image.shard, image.sequence))

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        return []

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        rows = read_rows(_rows(root))
        votes: list[Votes | None] = [own if name else None for _, name, own in rows]
        if self.options.labels == "label.csv":
            folder = _label_folder(root)
            votes = by_row(rows, read_labels(folder), folder)
            last = {name: row for row, (_, name, _) in enumerate(rows)}
            lost = [name for row, (_, name, _) in enumerate(rows) if name and last[name] == row and votes[row] is None]
            self._allow(root, [f"{name} (in no label.csv)" for name in lost], len(rows))
        table = [(s.sequence, s.first_frame, *own) for s in sequences if (own := votes[int(s.inside or 0)]) is not None]
        return pd.DataFrame(table, columns=["sequence", "frame", *VOTES]).astype(
            {"frame": "int32", **dict.fromkeys(VOTES, "int8")}
        )


def _images(root: Path) -> Path:
    return _find(root, IMAGES, "FER2013's images (of Kaggle's challenge)")


def _rows(root: Path) -> Path:
    return _find(root, (ROWS,), "FER+'s table (from its repository)")


def _label_folder(root: Path) -> Path:
    folder = find_folder(root, [f"{place}/label.csv" for place in FOLDERS.values()])
    if folder is None:
        places = list(FOLDERS.values())
        missing = [place for place in places if find_folder(root, [f"{place}/label.csv"]) is None] or places
        raise ClefError(
            f"{root}: no {', '.join(missing)} with label.csv; expected FER+'s data folder (from its repository) with "
            f"{', '.join(places)}, or `options: {{labels: fer2013new.csv}}`; complete the copy"
        )
    return folder


def _find(root: Path, names: Iterable[str], what: str) -> Path:
    for name in names:
        folder = find_folder(root, [name])
        if folder is not None:
            return folder / name
    raise ClefError(f"{root}: {found_in(root)}; expected {what}: {' or '.join(names)}; put or link it there")


def _require_same_rows(images: Path, rows: list[tuple[str, str, Votes]]) -> None:
    """Refuse tables that are not row for row of the same images.

    Raises:
        ClefError: With the first row that differs.
    """
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
        _require_agreement(images, usage, pairs)


def _require_agreement(images: Path, usage: str, pairs: list[tuple[str, Votes]]) -> None:
    """Refuse votes that say of the rows' emotions what any other rows' votes would.

    Args:
        images: The table of images.
        usage: Of all rows.
        pairs: FER2013's code of the emotion and FER+'s votes of each row that has a name.
    """
    emotion_of = dict(zip(map(str, range(len(FER2013))), FER2013, strict=True))
    own = [(emotion_of.get(code), votes.index(max(votes))) for code, votes in pairs]
    named = [(emotion, EMOTIONS[lead]) for emotion, lead in own if emotion and lead < len(EMOTIONS)]
    if len(named) < ROWS_COMPARED:
        return
    agreeing = sum(emotion == voted for emotion, voted in named) / len(named)
    by_chance = sum(
        sum(emotion == name for emotion, _ in named) * sum(voted == name for _, voted in named) for name in EMOTIONS
    )
    chance = by_chance / len(named) ** 2
    if agreeing - chance < LEAST_AGREEMENT * (1 - chance):
        raise ClefError(
            f"{images}: its emotions are those of the votes in {ROWS} in {agreeing:.0%} of {len(named)} rows of "
            f"{usage}, about as by chance ({chance:.0%}); expected the same rows in the same order: restore both as "
            "released"
        )


def _usages_and_emotions(path: Path) -> list[tuple[str, str]]:
    """Two columns; the pixels, nearly all of the file, are passed over as it streams by."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    expected = "expected the columns emotion, pixels, Usage; restore it"
    wanted = ["usage", "emotion"]
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = [name.strip().strip('"').lower() for name in file.readline().split(",")]
        if sorted(names) != ["emotion", "pixels", "usage"]:
            raise ClefError(f"{path}: starts with {', '.join(names)[:80]!r}; {expected}")
        reader = arrow_csv.open_csv(
            path,
            arrow_csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
            ),
        )
        with reader:
            columns = [[cell.strip() for cell in column.to_pylist()] for column in reader.read_all().columns]
        return list(zip(*columns, strict=True))
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClefError(f"{path}: {reason}; {expected}") from None


def _known(source: str, tested: str, named: dict[str, int], classes: dict[str, tuple[int, ...]]) -> PublishedCounts:
    splits = {"train": "Training", "test": USAGE[tested]}
    return PublishedCounts(
        source=f"FER+'s {source}, classes by majority as its authors process votes",
        sequences=35_887,
        labelled_frames=sum(named.values()),
        frames_by={"split": {split: named[usage] for split, usage in splits.items()}},
        classes={split: dict(zip(EMOTIONS, classes[usage], strict=True)) for split, usage in splits.items()},
    )


COUNTS: dict[str, tuple[dict[str, int], dict[str, tuple[int, ...]]]] = {
    "label.csv": (
        {"Training": 28_558, "PublicTest": 3_579, "PrivateTest": 3_573},
        {
            "Training": (8733, 7284, 3136, 3022, 2098, 116, 536, 120),
            "PublicTest": (1180, 862, 411, 348, 289, 25, 60, 16),
            "PrivateTest": (1083, 892, 394, 382, 269, 16, 86, 15),
        },
    ),
    "fer2013new.csv": (
        {"Training": 28_561, "PublicTest": 3_579, "PrivateTest": 3_574},
        {
            "Training": (8740, 7287, 3149, 3014, 2100, 119, 532, 119),
            "PublicTest": (1182, 865, 415, 351, 287, 24, 62, 13),
            "PrivateTest": (1090, 893, 396, 384, 273, 18, 83, 16),
        },
    ),
}
PUBLISHED = {
    (source, tested): _known(source, tested, *counts)
    for source, counts in COUNTS.items()
    for tested in ("private", "public")
}

ADAPTER = FerPlus
