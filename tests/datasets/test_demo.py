from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.params.schema import Params
from tests.datasets.files import put


@pytest.fixture
def videos():
    return open_dataset(Params.model_validate({"dataset": {"adapter": "demo"}, "render": {"subjects": 2}}))


@pytest.fixture
def stills():
    params = {
        "dataset": {"adapter": "demo_expr"},
        "render": {"kind": "stills"},
        "labels": {"kind": "expressions", "expressions": ["neutral", "fear"]},
        "folds": {"protocol": "official", "number": 1},
    }
    return open_dataset(Params.model_validate(params))


def test_unexpected_files_among_videos_and_labels(videos, tmp_path):
    put(tmp_path, "videos/F001/T1.mp4", "videos/M001/T6.mp4", "AUCoding/AU_OCC/F001_T1.csv")
    unexpected = [
        "AUCoding/AU_OCC/F001_T2.csv",  # its recording is missing
        "AUCoding/AU_OCC/F001_T1.CSV",
        "videos/F001/T1 (copy).mp4",
        "videos/F001/T2.MP4",
        "videos/F001/T9.mp4",  # unknown activity
        "videos/F009/T1.mp4",  # unknown subject
        "videos/Élodie/T1.mp4",
    ]
    put(tmp_path, *unexpected, "videos/F001/._T1.mp4", "videos/F001/.DS_Store")
    sequences = videos.sequences(tmp_path)
    assert [sequence.sequence for sequence in sequences] == ["F001_T1", "M001_T6"]
    assert videos.unexpected_files(tmp_path, sequences) == sorted(unexpected)


def test_videos_without_any_labels(videos, tmp_path):
    put(tmp_path, "videos/F001/T1.mp4")
    with pytest.raises(ClefError, match=r"AU_OCC: no labels of any recording; expected files such as F001_T1\.csv"):
        videos.labels(tmp_path, videos.sequences(tmp_path))


def write_stills(root: Path, images: list[str], *rows: str, newline: str = "\n", mark: str = "") -> Path:
    put(root, *(f"images/{image}" for image in images))
    put(root, "labels.csv", content=mark + newline.join(["image,expression", *rows]) + newline)
    return root


@pytest.mark.parametrize(("newline", "mark"), [("\n", ""), ("\r\n", "\ufeff")])
def test_stills_are_joined_to_labels_by_image(stills, tmp_path, newline, mark):
    rows = ["test/00001.jpg,fear", "train/00007.jpg,neutral"]
    root = write_stills(tmp_path, ["train/00007.jpg", "test/00001.jpg"], *rows, newline=newline, mark=mark)
    labels = stills.labels(root, stills.sequences(root))
    found = dict(zip(labels["sequence"], labels["expression"], strict=True))
    assert found == {"train_00007": "neutral", "test_00001": "fear"}


def test_unexpected_files_among_stills(stills, tmp_path):
    images = ["train/00001.jpg", "train/face.jpg", "val/00001.jpg", "train/00002.png"]
    root = write_stills(tmp_path, images, "train/00001.jpg,fear", "train/00009.jpg,fear")
    sequences = stills.sequences(root)
    assert [sequence.sequence for sequence in sequences] == ["train_00001"]
    assert stills.unexpected_files(root, sequences) == [
        "images/train/00002.png",
        "images/train/face.jpg",
        "images/val/00001.jpg",
        "labels.csv: images/train/00009.jpg",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,expression\ntrain/00001.jpg,joy\n", "train/00001.jpg: expression 'joy'; expected one of neutral"),
        ("image,expression\na.jpg,fear\na.jpg,neutral\n", "a.jpg is labelled twice"),
        ("image,class\ntrain/00001.jpg,fear\n", "labels.csv: columns image, class; expected image, expression"),
        ("image,expression\n", "no rows; expected the columns image, expression"),
    ],
)
def test_a_broken_label_file_of_stills(stills, tmp_path, text, message):
    put(tmp_path, "images/train/00001.jpg")
    put(tmp_path, "labels.csv", content=text)
    with pytest.raises(ClefError) as caught:
        stills.labels(tmp_path, stills.sequences(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
