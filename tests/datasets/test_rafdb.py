from pathlib import Path

import pytest

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.ingest.inventory import take_inventory
from tests.datasets.files import put
from tests.datasets.opened import expressions

LIST = "EmoLabel/list_patition_label.txt"
LINES = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7"]
FILES = ["train_00001_aligned.jpg", "train_00002_aligned.jpg", "test_0001_aligned.jpg"]


def open_with(images: str = "aligned", detector: str = "none", max_bad: float = 0.0) -> Dataset:
    return expressions("rafdb", ["neutral", "fear"], None, max_bad, detector, images=images, blocks=2)


def make(root: Path, lines: list[str] = LINES, files: list[str] = FILES, folder: str = "Image/aligned") -> Path:
    put(root, LIST, content="\n".join(lines))
    put(root, *(f"{folder}/{name}" for name in files))
    return root


def labels_of(root: Path) -> dict[str, str]:
    dataset = open_with()
    table = dataset.labels(root, dataset.sequences(root))
    return dict(zip(table["sequence"], table["expression"], strict=True))


@pytest.mark.parametrize("base", [".", "raf-basic", "RAF-DB/basic"])
def test_aligned_images_have_another_ending_than_in_the_list(tmp_path, base):
    make(tmp_path / base, files=["train_00001_aligned.JPG", *FILES[1:]])
    assert labels_of(tmp_path) == {"train_00001": "sadness", "train_00002": "surprise", "test_0001": "neutral"}
    prefix = "" if base == "." else f"{base}/"
    images = {image.sequence: (image.source, image.split) for image in open_with().sequences(tmp_path)}
    assert images == {
        "train_00001": (f"{prefix}Image/aligned/train_00001_aligned.JPG", "train"),
        "train_00002": (f"{prefix}Image/aligned/train_00002_aligned.jpg", "train"),
        "test_0001": (f"{prefix}Image/aligned/test_0001_aligned.jpg", "test"),
    }
    (tmp_path / base / LIST).rename(tmp_path / base / "EmoLabel/list_partition_label.txt")  # without the misspelling
    assert len(labels_of(tmp_path)) == 3


def test_original_images_need_a_detector(tmp_path):
    make(tmp_path, files=["train_00001.jpg", "test_0001.jpg"], folder="Image/original")
    put(tmp_path, "Image/original/train_99999.jpg", "Image/original/.DS_Store")
    dataset = open_with("original", "retinaface")
    assert dataset.packaging(tmp_path).name == "original"
    images = dataset.sequences(tmp_path)
    assert {image.source for image in images} >= {"Image/original/train_00001.jpg"}
    assert dataset.unexpected_files(tmp_path, images) == ["Image/original/train_99999.jpg"]
    with pytest.raises(ClefError, match=r"Image/original is not cropped, there is no Annotation/boundingbox, and crop"):
        open_with("original").packaging(tmp_path)
    with pytest.raises(ClefError, match=r"no folder Image/aligned.*Image/original exists: set `options: \{images: or"):
        open_with().packaging(tmp_path)


def test_the_annotated_box_of_an_original_image(tmp_path):
    make(tmp_path, files=["train_00001.jpg"], folder="Image/original")
    for name in ("train_00001", "train_00002", "test_0001"):
        put(tmp_path, f"Annotation/boundingbox/{name}_boundingbox.txt", content="10.4 20.0 110.2 150.5\n")
    dataset = open_with("original")
    assert dataset.packaging(tmp_path).found.endswith("list_patition_label.txt and Annotation/boundingbox")
    assert {image.box for image in dataset.sequences(tmp_path)} == {(10, 20, 100, 130)}
    put(tmp_path, *(f"Image/aligned/{name}" for name in FILES))
    assert {image.box for image in open_with("aligned").sequences(tmp_path)} == {None}


@pytest.mark.parametrize("text", ["", "10 20 110", "110 20 10 150", "left top right bottom", "10 20 inf nan"])
def test_a_broken_box_is_refused(tmp_path, text):
    make(tmp_path, files=["train_00001.jpg"], folder="Image/original")
    put(tmp_path, "Annotation/boundingbox/train_00001_boundingbox.txt", content=text)
    with pytest.raises(
        ClefError, match=f"_boundingbox.txt: '{text}'; expected left, top, right and bottom .*; restore"
    ):
        open_with("original").sequences(tmp_path)


def test_only_some_of_many_images_are_decoded_but_every_file_size_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("clef.ingest.tables.IMAGES_DECODED", 4)
    names = [f"train_{number:05d}" for number in range(8)]
    make(tmp_path, [f"{name}.jpg 1" for name in names], ["train_00001_aligned.jpg"])
    put(tmp_path, *(f"Image/aligned/{name}_aligned.jpg" for name in names[2:]), content="no picture")
    listed = take_inventory(open_with(max_bad=1.0), tmp_path, full=True).sequences
    bad = {image.sequence for image in listed if image.problem is not None}
    assert {names[0], names[1]} <= bad  # missing, and empty
    assert len(bad - {names[0], names[1]}) == 2
    assert all(image.frames == 1 for image in listed)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["train_00001.jpg 0"], r"line 1: 'train_00001\.jpg 0'; expected an image and a class 1 to 7"),
        (["train_00001.jpg 5", "val_0001.jpg 5"], r"line 2: 'val_0001\.jpg 5'"),
        (["train_00001.jpg 5", "train_00001.jpg 5"], "line 2: train_00001.jpg appears twice"),
        (
            ["train_00001.jpg 5", "train_00001.jpg 2"],
            r"line 2: train_00001\.jpg appears twice, with class 2 and before with 5; expected one line .*; remove the",
        ),
        (["train_00001.jpg 5 0.9"], r"line 1: 'train_00001\.jpg 5 0\.9'; expected an image and a class 1 to 7"),
        ([""], "no lines; expected one per image"),
    ],
)
def test_a_broken_list(tmp_path, lines, message):
    make(tmp_path, lines)
    with pytest.raises(ClefError, match=rf"list_patition_label\.txt: {message}"):
        open_with().sequences(tmp_path)


def test_two_copies_are_refused(tmp_path):
    make(tmp_path / "basic")
    make(tmp_path / "raf-basic")
    with pytest.raises(ClefError, match="in basic and in raf-basic; expected one copy"):
        open_with().packaging(tmp_path)
