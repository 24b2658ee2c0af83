from pathlib import Path

import numpy as np
import pytest

from clef.datasets.ferplus import EMOTIONS, FER2013_EMOTIONS, VOTES, FerPlus
from clef.datasets.readers.ferplus_votes import FOLDERS, HEADER
from clef.datasets.votes import classes
from clef.errors import ClefError
from tests.datasets.files import put
from tests.datasets.opened import expressions

USAGES = list(FOLDERS)


def open_with(votes: str | None = "majority", **options: str) -> FerPlus:
    return expressions("ferplus", EMOTIONS, votes, blocks=2, **options)


def counted(happiness: int, fear: int = 0) -> list[int]:
    return [0, happiness, 0, 0, 0, 0, fear, 0, 10 - happiness - fear, 0]


ROWS = [
    ("Training", "fer0000000.png", counted(8)),
    ("Training", "", [0] * 9 + [10]),
    ("Training", "fer0000001.png", counted(2, 6)),
    ("Training", "fer0000001.png", counted(3, 5)),  # two rows of one name
    ("PublicTest", "fer0000002.png", counted(9)),
    ("PrivateTest", "fer0000003.png", counted(10)),
]
AGAIN = {
    "fer0000000.png": ("Training", counted(7, 1)),
    "fer0000001.png": ("Training", counted(4, 5)),
    "fer0000002.png": ("PublicTest", counted(8)),
    "fer0000003.png": ("PrivateTest", counted(9)),
}


def write_images(path: Path, usages: list[str], emotions: list[int] | None = None) -> None:
    lines = [f"{emotion},1 2 3 4,{usage}" for usage, emotion in zip(usages, emotions or [0] * len(usages), strict=True)]
    put(path.parent, path.name, content="\n".join(["emotion,pixels,Usage", *lines]) + "\n")


def write_rows(path: Path, rows: list[tuple[str, str, list[int]]], header: list[str] = HEADER) -> None:
    lines = [",".join(header), *(",".join(map(str, (usage, name, *votes))) for usage, name, votes in rows)]
    put(path.parent, path.name, content="\r\n".join(lines))


def write_again(folder: Path, labels: dict[str, tuple[str, list[int]]]) -> None:
    for usage, split_folder in FOLDERS.items():
        own = [(name, votes) for name, (of, votes) in labels.items() if of == usage]
        text = "".join(f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes))}\n' for name, votes in own)
        put(folder / split_folder, "label.csv", content=text)


@pytest.fixture
def root(tmp_path) -> Path:
    write_images(tmp_path / "fer2013" / "fer2013.csv", [usage for usage, _, _ in ROWS])
    write_rows(tmp_path / "FERPlus" / "fer2013new.csv", ROWS)
    write_again(tmp_path / "FERPlus" / "data", AGAIN)
    return tmp_path


def votes_of(dataset: FerPlus, root: Path) -> dict[str, list[int]]:
    table = dataset.labels(root, dataset.sequences(root))
    return dict(zip(table["sequence"], table[VOTES].to_numpy().tolist(), strict=True))


def test_tables_with_different_rows_are_refused(root):
    usages = [usage for usage, _, _ in ROWS]
    write_images(root / "fer2013" / "fer2013.csv", usages[:-1])
    with pytest.raises(ClefError, match=r"fer2013\.csv: 5 rows, fer2013new\.csv has 6"):
        open_with().sequences(root)
    write_images(root / "fer2013" / "fer2013.csv", [*usages[:4], usages[5], usages[4]])
    with pytest.raises(ClefError, match=r"row 4 is of PrivateTest, in fer2013new\.csv of PublicTest"):
        open_with().sequences(root)


def emotion_of(votes: list[int]) -> int:
    """A code of FER2013, which has no contempt, that agrees with the votes."""
    winner = [*EMOTIONS, "neutral", "neutral"][votes.index(max(votes))]
    return FER2013_EMOTIONS.index(winner if winner in FER2013_EMOTIONS else "neutral")


@pytest.mark.parametrize("order", ["permuted", "one off", "right", "few"])
@pytest.mark.parametrize("usage", USAGES)
def test_rows_in_another_order_are_detected_by_their_emotions(tmp_path, order, usage):
    number = 20 if order == "few" else 200
    leads = np.random.default_rng(7).choice(8, size=(number, 3), p=(0.3, 0.26, 0.12, 0.12, 0.1, 0.02, 0.05, 0.03))
    rows = [
        (of, f"fer{3 * image + split_folder:07d}.png", [8 if column == lead else 0 for column in range(10)])
        for split_folder, of in enumerate(USAGES)
        for image, lead in enumerate(leads[:, split_folder])
    ]
    emotions = {of: [emotion_of(votes) for usage, _, votes in rows if usage == of] for of in USAGES}
    for code in range(0, number, 4):
        emotions[usage][code] = 0  # some annotators disagree
    if order != "right":
        moved = np.random.default_rng(8).permutation(emotions[usage]).tolist()
        emotions[usage] = moved if order == "permuted" else [*emotions[usage][1:], emotions[usage][0]]
    write_images(tmp_path / "fer2013.csv", [of for of, _, _ in rows], [code for of in USAGES for code in emotions[of]])
    write_rows(tmp_path / "fer2013new.csv", rows)
    dataset = open_with(labels="fer2013new.csv")
    if order in ("right", "few"):
        assert len(dataset.sequences(tmp_path)) == 3 * number
        return
    with pytest.raises(
        ClefError, match=rf"in \d+% of 200 rows of {usage}, about as by chance \(\d+%\); expected the same"
    ):
        dataset.sequences(tmp_path)


def test_swapped_test_folders_are_detected(root):
    swapped = {"PublicTest": "PrivateTest", "PrivateTest": "PublicTest"}
    labels = {name: (swapped.get(usage, usage), votes) for name, (usage, votes) in AGAIN.items()}
    write_again(root / "FERPlus" / "data", labels)
    with pytest.raises(ClefError, match=r"FER2013Valid: fer0000003\.png is of PrivateTest.*are two folders swapped\?"):
        votes_of(open_with(), root)


def test_labels_of_unknown_images_are_refused(root):
    write_again(root / "FERPlus" / "data", AGAIN | {"fer0009999.png": ("Training", counted(5))})
    with pytest.raises(ClefError, match=r"fer0009999\.png is not in fer2013new\.csv"):
        votes_of(open_with(), root)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([("Training", "fer0000000.png", counted(8)[:-1])], HEADER[:-1], "no column 'NF'"),
        ([("Test", "fer0000000.png", counted(8))], HEADER, "row 0: usage 'Test'"),
        ([("Training", "fer0000000.png", [-1, *counted(8)[1:]])], HEADER, "row 0: votes -1, 8"),
        ([("Training", "fer0000000.png", ["many", *counted(8)[1:]])], HEADER, "row 0: votes many, 8"),
    ],
)
def test_a_broken_table(root, rows, header, message):
    write_rows(root / "FERPlus" / "fer2013new.csv", rows, header)
    with pytest.raises(ClefError, match=message):
        open_with().sequences(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no lines; expected FER"),
        ("fer0000000.png,1,2\n", "line 1: 3 values; expected image, box and 10 votes"),
        (
            'fer0000000.png,"(0, 0, 48, 48)",1,2,3,4,5,6,7,8,9,11\n',
            "line 1: votes 1, 2, .* 11; expected numbers from 0 to 10",
        ),
        ('fer0000000.png,"(0, 0, 48, 48)",0,8,0,0,0,0,0,0,2,0\n' * 2, r"line 2: fer0000000\.png appears twice"),
    ],
)
def test_a_broken_label_csv(root, text, message):
    (root / "FERPlus/data/FER2013Train/label.csv").write_text(text)
    with pytest.raises(ClefError, match=message):
        votes_of(open_with(), root)


def test_a_missing_part_of_the_copy(root):
    (root / "FERPlus/data/FER2013Train/label.csv").unlink()
    with pytest.raises(ClefError, match=r"no folder with FER2013Train.*or `options: \{labels: fer2013new\.csv\}`"):
        open_with().packaging(root)
    assert open_with(labels="fer2013new.csv").packaging(root).name == "fer2013"
    (root / "FERPlus/fer2013new.csv").unlink()
    with pytest.raises(ClefError, match=r"holds FERPlus, fer2013; expected FER\+'s table.*: fer2013new\.csv"):
        open_with().packaging(root)
    (root / "fer2013/fer2013.csv").unlink()
    with pytest.raises(ClefError, match=r"expected FER2013's images.*: fer2013\.csv or icml_face_data\.csv"):
        open_with().packaging(root)


def test_fer2013_in_class_folders_has_no_rows_to_join(tmp_path):
    put(tmp_path, "train/angry/1.jpg", "test/angry/1.jpg")
    message = (
        r"holds test, train: images without the rows .*; expected FER2013's images .*: fer2013\.csv or .*`adapter: f"
    )
    with pytest.raises(ClefError, match=message):
        open_with().packaging(tmp_path)


def test_votes_need_a_rule():
    with pytest.raises(
        ClefError, match=r"labels\.votes: ferplus has votes; expected majority, probability or plurality"
    ):
        open_with(votes=None)
    with pytest.raises(ClefError, match=r"labels\.votes: rafdb has no votes"):
        expressions("rafdb", votes="majority")


@pytest.mark.parametrize("source", ["label.csv", "fer2013new.csv"])
@pytest.mark.parametrize("tested", ["private", "public"])
def test_the_real_label_files_have_the_published_counts(ferplus_labels, tmp_path, source, tested):
    folder = ferplus_labels
    raw = tmp_path / "raw"
    raw.mkdir()
    for part in folder.iterdir():
        (raw / part.name).symlink_to(part)
    lines = [line.split(",") for line in (folder / "fer2013new.csv").read_text().splitlines()[1:]]
    emotions = [emotion_of(list(map(int, votes))) for _, _, *votes in lines]
    write_images(raw / "fer2013.csv", [usage for usage, *_ in lines], emotions)
    dataset = open_with(labels=source, tested=tested)
    images = dataset.sequences(raw)
    table = dataset.labels(raw, images)
    known = dataset.published_counts
    assert (len(images), len(table)) == (known.sequences, known.labelled_frames)
    split_of = {image.sequence: image.split for image in images}
    by_split = table["sequence"].map(split_of).value_counts().to_dict()
    assert {split: by_split[split] for split in ("train", "test")} == known.frames_by["split"]
    named = classes(table, "majority")
    for split, counts in known.classes.items():
        assert named[table["sequence"].map(split_of) == split].value_counts().to_dict() == counts
