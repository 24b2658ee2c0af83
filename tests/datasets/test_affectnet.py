import io
import re
from pathlib import Path

import numpy as np
import pytest

from clef.datasets.affectnet_releases import COLUMNS
from clef.datasets.base import Dataset
from clef.datasets.image_dataset import UNLABELLED
from clef.errors import ClefError
from tests.datasets.files import put
from tests.datasets.opened import expressions

SEVEN = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
HEADER = ",".join(COLUMNS) + "\n"


@pytest.fixture
def dataset():
    return open_with()


def open_with(packaging: str = "auto") -> Dataset:
    return expressions("affectnet", SEVEN, blocks=2, packaging=packaging)


def npy(value: object) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array(value))
    return content.getvalue()


def make_npy(root: Path, train: dict[str, object], test: dict[str, object]) -> Path:
    """Write a label per image name; None for no label, a name without suffix for no image."""
    for folder, labels in (("train_set", train), ("val_set", test)):
        (root / folder / "images").mkdir(parents=True)
        (root / folder / "annotations").mkdir()
        for name, value in labels.items():
            stem, dot, _ = name.partition(".")
            if dot:
                put(root / folder / "images", name)
            if value is not None:
                content = value if isinstance(value, bytes) else npy(value)
                put(root / folder / "annotations", f"{stem}_exp.npy", content=content)
    return root


def make_csv(root: Path, training: str, validation: str) -> Path:
    put(root, "Manually_Annotated_file_lists/training.csv", content=training)
    put(root, "Manually_Annotated_file_lists/validation.csv", content=validation)
    (root / "Manually_Annotated/Manually_Annotated_Images").mkdir(parents=True)
    return root


def line(path: str, code: int | str, box: tuple[object, ...] = (1, 2, 30, 40)) -> str:
    return ",".join(map(str, (path, *box, "1.0;2.0", code, 0.5, -0.5))) + "\n"


def labels_of(dataset: Dataset, root: Path) -> dict[str, str]:
    table = dataset.labels(root, dataset.sequences(root))
    assert (table["frame"] == 0).all()
    return dict(zip(table["sequence"], table["expression"], strict=True))


def unlabelled(dataset, root: Path):
    return dataset.labels(root, dataset.sequences(root)).attrs[UNLABELLED]


def test_a_class_is_stored_as_a_number_or_as_text(dataset, tmp_path):
    values = (3, 3.0, "3", np.array(b"3"), np.array([3]))
    root = make_npy(tmp_path, {f"{number}.jpg": value for number, value in enumerate(values)}, {"0.jpg": 0})
    assert labels_of(dataset, root) == {f"train_{n}": "surprise" for n in range(len(values))} | {"test_0": "neutral"}


def test_images_and_labels_are_joined_by_number_with_any_zero_padding(dataset, tmp_path):
    root = make_npy(tmp_path, {"0006.jpg": None, "6": 1, "7.jpg": None, "007": 3}, {"0.jpg": 4})
    assert [image.sequence for image in dataset.sequences(root)] == ["test_0", "train_6", "train_7"]
    assert labels_of(dataset, root) == {"train_6": "happiness", "train_7": "surprise", "test_0": "fear"}
    sources = {s.source for s in dataset.sequences(root) if s.split == "train"}
    assert sources == {"train_set/images/0006.jpg", "train_set/images/7.jpg"}
    put(root, "train_set/images/9.jpg")
    assert unlabelled(dataset, root) == (["train_set/images/9.jpg (no 9_exp.npy)"], 4)
    put(root, "train_set/annotations/0006_exp.npy", content=npy(2))
    with pytest.raises(ClefError, match=r"annotations: 0006_exp\.npy and 6_exp\.npy both have number 6; remove one"):
        dataset.sequences(root)
    put(root, "train_set/annotations/0006_exp.npy", "train_set/images/7.png")
    with pytest.raises(ClefError, match=r"7\.jpg and 7\.png both have number 7"):
        dataset.sequences(root)


@pytest.mark.parametrize("value", [b"", b"no array", npy("happy"), npy([1, 2]), npy(1.5)])
def test_a_label_without_a_whole_number_is_missing(dataset, tmp_path, value):
    root = make_npy(tmp_path, {"0.jpg": 1, "1.jpg": value}, {"0.jpg": 1})
    assert unlabelled(dataset, root) == (["train_set/images/1.jpg (1_exp.npy holds no number)"], 3)
    assert labels_of(dataset, root) == {"train_0": "happiness", "test_0": "happiness"}


def test_a_picture_in_two_class_folders_is_refused(tmp_path):
    put(tmp_path, "train/anger/1.jpg", content="one picture")
    put(tmp_path, "train/anger/2.jpg", "train/fear/2.jpg", "val/fear/1.jpg", content="another")
    put(tmp_path, "train/fear/1.jpg", content="a picture")  # of the same name and size
    with pytest.raises(
        ClefError, match=r"train/anger/2\.jpg and train/fear/2\.jpg are the same picture .*; remove the"
    ):
        labels_of(open_with(), tmp_path)
    (tmp_path / "train/fear/2.jpg").unlink()
    labels = labels_of(open_with(), tmp_path)
    assert labels["train_fear_1.jpg"] == "fear"
    dataset = open_with()
    assert dataset.published_counts_of(tmp_path).labelled_frames == 291_650
    assert dataset.packaging(tmp_path).found == "train and val, a folder per class: anger anger, fear fear"
    put(tmp_path, "train/fear/labels.csv")
    assert dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path)) == ["train/fear/labels.csv"]


def test_unexpected_files_and_unknown_classes(dataset, tmp_path):
    root = make_npy(tmp_path, {"3.jpg": 11, "anger.jpg": None, "Thumbs.db": None}, {"0.jpg": 1})
    sequences = [image for image in dataset.sequences(root) if image.sequence in ("train_3", "test_0")]
    assert dataset.unexpected_files(root, sequences) == ["train_set/images/Thumbs.db", "train_set/images/anger.jpg"]
    with pytest.raises(ClefError, match=r"train_set/images/3\.jpg: class 11; expected 0 to 10"):
        dataset.labels(root, sequences)


@pytest.mark.parametrize("images", ["Manually_Annotated", "Manually_Annotated_compressed"])
def test_one_of_both_releases_is_used(tmp_path, images):
    make_npy(tmp_path / "new", {"0.jpg": 1}, {"0.jpg": 4})
    make_csv(tmp_path, line("1/a.jpg", 2), line("1/b.jpg", 3))
    (tmp_path / "Manually_Annotated").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / images)
    for packaging in ("auto", "npy"):
        dataset = open_with(packaging)
        assert labels_of(dataset, tmp_path) == {"train_0": "happiness", "test_0": "fear"}
        found = dataset.packaging(tmp_path)
        assert (found.name, dataset.published_counts_of(tmp_path).labelled_frames) == ("npy", 291_650)
    dataset = open_with("csv")
    assert labels_of(dataset, tmp_path) == {"train_1_a.jpg": "sadness", "test_1_b.jpg": "surprise"}
    found = dataset.packaging(tmp_path)
    assert (found.name, dataset.published_counts_of(tmp_path).labelled_frames) == ("csv", 291_651)
    assert found.found.endswith(f"uncropped images in {images}/Manually_Annotated_Images")
    assert {s.source.partition("/")[0] for s in dataset.sequences(tmp_path)} == {images}


@pytest.mark.parametrize("first", [HEADER, "", "\ufeff" + HEADER])
def test_lists_have_a_header_or_not(dataset, tmp_path, first):
    training = first + line("1/aa.JPG", 3) + line("2/bb.Tif", 8) + line("2/cc.png", 10, (-1, -1, -1, -1))
    root = make_csv(tmp_path, training, line("1/dd.jpg", 7))
    assert labels_of(dataset, root) == {"train_1_aa.JPG": "surprise", "test_1_dd.jpg": "contempt"}
    images = {image.sequence: image for image in dataset.sequences(root)}
    assert images["train_1_aa.JPG"].source == "Manually_Annotated/Manually_Annotated_Images/1/aa.JPG"
    assert {name: image.box for name, image in images.items()} == {
        "train_1_aa.JPG": (1, 2, 30, 40),
        "train_2_bb.Tif": (1, 2, 30, 40),
        "train_2_cc.png": (0, 0, 0, 0),
        "test_1_dd.jpg": (1, 2, 30, 40),
    }


def test_an_image_of_the_validation_list_is_not_trained_on(dataset, tmp_path, caplog):
    root = make_csv(tmp_path, line("1/aa.jpg", 1) + line("1/bb.jpg", 2), line("1/bb.jpg", 2))
    assert labels_of(dataset, root) == {"train_1_aa.jpg": "happiness", "test_1_bb.jpg": "sadness"}
    assert "1 images are in the validation list too" in caplog.text


def test_an_image_listed_with_two_classes_has_none(dataset, tmp_path):
    images = (("aa", 1), ("aa", 1), ("bb", 2), ("bb", 4), ("cc", ""))
    root = make_csv(tmp_path, "".join(line(f"1/{name}.jpg", code) for name, code in images), line("1/dd.jpg", 0))
    assert labels_of(dataset, root) == {"train_1_aa.jpg": "happiness", "test_1_dd.jpg": "neutral"}
    names, images = unlabelled(dataset, root)
    assert images == 4
    assert re.search(r"cc\.jpg \(no class in the list\), .*bb\.jpg \(two classes", ", ".join(names))


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("name,label\n1/aa.jpg,3\n", r"starts with 'name,label'; expected subDirectory_filePath"),
        ("", "starts with ''"),
        (HEADER + line("../../etc/passwd", 3), r"'../../etc/passwd' is no image"),
        (HEADER + line("1/aa.jpg", "happy"), "training.csv: .*happy"),
        (HEADER + "1/aa.jpg,3\n", "training.csv: .*Expected 9 columns, got 2"),
    ],
)
def test_a_broken_list(dataset, tmp_path, training, message):
    root = make_csv(tmp_path, training, line("1/dd.jpg", 0))
    with pytest.raises(ClefError, match=message) as caught:
        dataset.sequences(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "packaging", "message"),
    [
        ([], "auto", "does not exist; expected AffectNet: train_set and val_set"),
        (["raw/train_set/1.jpg", "raw/val_set/1.jpg"], "csv", "holds train_set, val_set; expected AffectNet as csv: "),
        (["raw/training.csv", "raw/validation.csv"], "auto", "lists and no images; expected the folder Manually_Annot"),
        (["raw/train_set/images/1.jpg", "raw/val_set/1.jpg"], "auto", r"annotations: cannot be listed \(No such file"),
    ],
)
def test_an_unusable_copy(tmp_path, names, packaging, message):
    put(tmp_path, *names)
    with pytest.raises(ClefError, match=message):
        labels_of(open_with(packaging), tmp_path / "raw")
