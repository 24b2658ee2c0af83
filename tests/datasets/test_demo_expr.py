from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.params.schema import Params

HEADER = "image,expression"


@pytest.fixture
def dataset():
    return open_dataset(
        Params.model_validate(
            {
                "dataset": {"adapter": "demo_expr"},
                "render": {"kind": "stills"},
                "labels": {"kind": "expressions", "expressions": ["neutral", "fear"]},
                "folds": {"protocol": "official", "number": 1},
            }
        )
    )


def make(root: Path, images: list[str], *rows: str, newline: str = "\n", mark: str = "") -> Path:
    for image in images:
        (root / "images" / image).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / image).touch()
    (root / "labels.csv").write_bytes((mark + newline.join([HEADER, *rows]) + newline).encode())
    return root


@pytest.mark.parametrize(("newline", "mark"), [("\n", ""), ("\r\n", ""), ("\r\n", "\ufeff")])
def test_labels_go_by_image(dataset, tmp_path, newline, mark):
    rows = ["test/00001.jpg,fear", "train/00007.jpg,neutral"]
    root = make(tmp_path, ["train/00007.jpg", "test/00001.jpg"], *rows, newline=newline, mark=mark)
    labels = dataset.labels(root, dataset.sequences(root))
    assert dict(zip(labels["sequence"], labels["expression"], strict=True)) == {
        "train_00007": "neutral",
        "test_00001": "fear",
    }


def test_what_is_no_image_of_the_set_is_a_stranger(dataset, tmp_path):
    images = ["train/00001.jpg", "train/face.jpg", "val/00001.jpg", "train/00002.png"]
    root = make(tmp_path, images, "train/00001.jpg,fear", "train/00009.jpg,fear")
    sequences = dataset.sequences(root)
    assert [sequence.sequence for sequence in sequences] == ["train_00001"]
    assert dataset.unexpected_files(root, sequences) == [
        "images/train/00002.png",
        "images/train/face.jpg",
        "images/val/00001.jpg",
        "labels.csv: images/train/00009.jpg",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["train/00001.jpg,joy"], "train/00001.jpg: expression 'joy'; expected one of neutral"),
        (["train/00001.jpg,fear", "train/00001.jpg,neutral"], "train/00001.jpg is labelled twice"),
        (["train/00001.jpg"], "line 2 has 1 value, the header has 2"),
        ([], "no rows; expected the columns image, expression"),
    ],
)
def test_a_broken_label_file_is_one_line(dataset, tmp_path, rows, message):
    root = make(tmp_path, ["train/00001.jpg"], *rows)
    with pytest.raises(ClefError) as caught:
        dataset.labels(root, dataset.sequences(root))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(dataset, tmp_path):
    root = make(tmp_path, ["train/00001.jpg"])
    (root / "labels.csv").write_text("image,class\ntrain/00001.jpg,fear\n")
    with pytest.raises(ClefError, match=r"labels\.csv: columns image, class; expected image, expression"):
        dataset.labels(root, dataset.sequences(root))
