import io
from pathlib import Path

import numpy as np
import pytest

from clef.datasets import open_dataset
from clef.datasets.affectnet import AffectNet
from clef.datasets.affectnet_releases import COLUMNS
from clef.errors import ClefError
from clef.params.schema import Params

SEVEN = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]


@pytest.fixture
def dataset():
    return open_with(max_bad=0.0)


def open_with(max_bad: float, packaging: str = "auto") -> AffectNet:
    return open_dataset(
        Params.model_validate(
            {
                "dataset": {"adapter": "affectnet", "options": {"blocks": 2, "packaging": packaging}},
                "labels": {"kind": "expressions", "expressions": SEVEN},
                "folds": {"protocol": "official", "number": 1},
                "ingest": {"max_bad": max_bad},
            }
        )
    )


def npy(value: object) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array(value))
    return content.getvalue()


def put(path: Path, content: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_npy(root: Path, train: dict[str, object], test: dict[str, object]) -> Path:
    """Label by file name of the image; None for an image without one, an int name for a label without an image."""
    for folder, labels in (("train_set", train), ("val_set", test)):
        (root / folder / "images").mkdir(parents=True)
        (root / folder / "annotations").mkdir()
        for name, value in labels.items():
            stem, dot, _ = name.partition(".")
            if dot:
                put(root / folder / "images" / name)
            if value is not None:
                put(
                    root / folder / "annotations" / f"{stem}_exp.npy", value if isinstance(value, bytes) else npy(value)
                )
    return root


def make_csv(root: Path, training: str, validation: str) -> Path:
    for name, text in (("training.csv", training), ("validation.csv", validation)):
        put(root / "Manually_Annotated_file_lists" / name, text.encode())
    (root / "Manually_Annotated/Manually_Annotated_Images").mkdir(parents=True)
    return root


def line(path: str, code: int | str, box: tuple[object, ...] = (1, 2, 30, 40)) -> str:
    return ",".join(map(str, (path, *box, "1.0;2.0", code, 0.5, -0.5))) + "\n"


def labels_of(dataset: AffectNet, root: Path) -> dict[str, str]:
    table = dataset.labels(root, dataset.sequences(root))
    assert (table["frame"] == 0).all()
    return dict(zip(table["sequence"], table["expression"], strict=True))


@pytest.mark.parametrize("value", [3, np.int64(3), 3.0, "3", np.array(b"3"), np.array([3])])
def test_a_class_may_be_stored_as_a_number_or_as_text(dataset, tmp_path, value):
    root = make_npy(tmp_path, {"0.jpg": value}, {"0.jpg": 0})
    assert labels_of(dataset, root) == {"train_0": "surprise", "test_0": "neutral"}


def test_the_same_number_in_both_sets_is_two_people(dataset, tmp_path):
    root = make_npy(tmp_path / "AffectNet", {"0.jpg": 1, "7.JPG": 2, "12.png": 9}, {"0.jpg": 4, "7.jpg": 5}).parent
    assert labels_of(dataset, root) == {
        "train_0": "happiness",
        "train_7": "sadness",
        "test_0": "fear",
        "test_7": "disgust",
    }
    listed = {image.sequence: image for image in dataset.sequences(root)}
    assert listed["train_7"].source == "AffectNet/train_set/images/7.JPG"
    assert {name: image.split for name, image in listed.items()} == {
        "train_0": "train",
        "train_7": "train",
        "train_12": "train",
        "test_0": "test",
        "test_7": "test",
    }
    assert {image.shard for image in listed.values()} <= set(dataset.shards()) == {"block000", "block001"}


def test_an_image_and_its_label_are_joined_by_number_whatever_their_zeros(dataset, tmp_path):
    root = make_npy(tmp_path, {"0006.jpg": None, "6": 1, "7.jpg": None, "007": 3}, {"0.jpg": 4})
    assert labels_of(dataset, root) == {"train_6": "happiness", "train_7": "surprise", "test_0": "fear"}
    assert {s.source for s in dataset.sequences(root) if s.split == "train"} == {
        "train_set/images/0006.jpg",
        "train_set/images/7.jpg",
    }
    put(root / "train_set/annotations/0006_exp.npy", npy(2))
    with pytest.raises(ClefError, match=r"annotations: 0006_exp\.npy and 6_exp\.npy both label image 6; remove one"):
        dataset.sequences(root)


@pytest.mark.parametrize("images", ["Manually_Annotated", "Manually_Annotated_compressed"])
def test_of_both_releases_one_is_used_and_the_other_told(tmp_path, images):
    make_npy(tmp_path / "new", {"0.jpg": 1}, {"0.jpg": 4})
    make_csv(tmp_path, line("1/a.jpg", 2), line("1/b.jpg", 3))
    (tmp_path / "Manually_Annotated").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / images)
    for packaging in ("auto", "npy"):
        dataset = open_with(0.0, packaging)
        assert labels_of(dataset, tmp_path) == {"train_0": "happiness", "test_0": "fear"}
        found = dataset.packaging(tmp_path)
        assert (found.name, dataset.published_counts_of(tmp_path).labelled_frames) == ("npy", 291_650)
        assert found.found.endswith("; also lists in Manually_Annotated_file_lists, which are not used")
    dataset = open_with(0.0, "csv")
    assert labels_of(dataset, tmp_path) == {"train_1_a.jpg": "sadness", "test_1_b.jpg": "surprise"}
    found = dataset.packaging(tmp_path)
    assert (found.name, dataset.published_counts_of(tmp_path).labelled_frames) == ("csv", 291_651)
    assert f"uncropped images in {images}/Manually_Annotated_Images; also new/: train_set and val_set" in found.found
    assert {s.source.partition("/")[0] for s in dataset.sequences(tmp_path)} == {images}


def test_a_release_that_is_asked_for_and_not_there_is_told(tmp_path):
    make_npy(tmp_path, {"0.jpg": 1}, {"0.jpg": 4})
    with pytest.raises(ClefError, match="holds train_set, val_set; expected AffectNet as csv: "):
        open_with(0.0, "csv").packaging(tmp_path)


@pytest.mark.parametrize("value", [b"", b"no array", npy("happy"), npy([1, 2]), npy(1.5)])
def test_a_label_that_is_no_number_counts_as_missing(tmp_path, value):
    root = make_npy(tmp_path, {"0.jpg": 1, "1.jpg": value}, {"0.jpg": 1})
    with pytest.raises(ClefError, match=r"1 of 3 images have no label.*1\.jpg \(1_exp\.npy holds no number\)"):
        labels_of(open_with(0.2), root)
    assert labels_of(open_with(0.4), root) == {"train_0": "happiness", "test_0": "happiness"}


def test_images_without_labels_and_labels_without_images_are_told(tmp_path):
    root = make_npy(tmp_path, {"0.jpg": 1, "1.jpg": None, "2": 3}, {"0.jpg": 1})
    lenient = open_with(1.0)
    assert [image.sequence for image in lenient.sequences(root)] == ["test_0", "train_0", "train_2", "train_1"]
    with pytest.raises(ClefError, match=r"1 of 4 images have no label.*images/1\.jpg \(no 1_exp\.npy\)"):
        labels_of(open_with(0.0), root)


def test_a_class_that_there_is_none_of_is_named(dataset, tmp_path):
    root = make_npy(tmp_path, {"0.jpg": 11}, {"0.jpg": 1})
    with pytest.raises(ClefError, match=r"train_set/images/0\.jpg: class 11; expected 0 to 10"):
        labels_of(dataset, root)


def test_two_images_of_one_number_are_named(dataset, tmp_path):
    root = make_npy(tmp_path, {"3.jpg": 1, "3.png": 1}, {"0.jpg": 1})
    with pytest.raises(ClefError, match=r"3\.jpg and 3\.png are both image 3"):
        dataset.sequences(root)


def test_what_else_lies_among_the_images_is_a_stranger(dataset, tmp_path):
    root = make_npy(tmp_path, {"3.jpg": 1, "anger.jpg": None, "Thumbs.db": None}, {"0.jpg": 1})
    sequences = [image for image in dataset.sequences(root) if image.sequence in ("train_3", "test_0")]
    assert dataset.unexpected_files(root, sequences) == ["train_set/images/Thumbs.db", "train_set/images/anger.jpg"]


HEADER = ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("first", [HEADER, "", "\ufeff" + HEADER])
def test_lists_come_with_or_without_their_first_line(dataset, tmp_path, first):
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


def test_columns_of_another_order_are_read_by_name(dataset, tmp_path):
    names = [COLUMNS[6], *COLUMNS[:6], *COLUMNS[7:]]
    root = make_csv(tmp_path, ",".join(names) + "\n2,1/aa.jpg,9,8,7,6,1.0;2.0,0,0\n", line("1/dd.jpg", 0))
    assert labels_of(dataset, root)["train_1_aa.jpg"] == "sadness"
    assert {image.box for image in dataset.sequences(root) if image.split == "train"} == {(9, 8, 7, 6)}


def test_an_image_of_the_validation_list_is_not_trained_on(dataset, tmp_path, caplog):
    root = make_csv(tmp_path, line("1/aa.jpg", 1) + line("1/bb.jpg", 2), line("1/bb.jpg", 2))
    assert labels_of(dataset, root) == {"train_1_aa.jpg": "happiness", "test_1_bb.jpg": "sadness"}
    assert "1 images stand in the validation list too" in caplog.text


def test_an_image_listed_twice_is_one_and_with_two_classes_has_none(tmp_path):
    training = (
        line("1/aa.jpg", 1) + line("1/aa.jpg", 1) + line("1/bb.jpg", 2) + line("1/bb.jpg", 4) + line("1/cc.jpg", "")
    )
    root = make_csv(tmp_path, training, line("1/dd.jpg", 0))
    assert labels_of(open_with(0.5), root) == {"train_1_aa.jpg": "happiness", "test_1_dd.jpg": "neutral"}
    with pytest.raises(ClefError, match=r"2 of 4 images have no label.*bb\.jpg \(no class, or two, in the list\)"):
        labels_of(open_with(0.4), root)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("name,label\n1/aa.jpg,3\n", r"starts with 'name,label'; expected subDirectory_filePath"),
        ("", "starts with ''"),
        (HEADER + line("../../etc/passwd", 3), r"'../../etc/passwd' is no image"),
        (HEADER + line("/etc/passwd", 3), "'/etc/passwd' is no image"),
        (HEADER + line("1/..", 3), r"'1/\.\.' is no image"),
        (HEADER + line("1/aa.jpg", "happy"), "training.csv: .*happy"),
        (HEADER + "1/aa.jpg,3\n", "training.csv: .*Expected 9 columns, got 2"),
    ],
)
def test_a_list_that_does_not_fit_is_named(dataset, tmp_path, training, message):
    root = make_csv(tmp_path, training, line("1/dd.jpg", 0))
    with pytest.raises(ClefError, match=message) as caught:
        dataset.sequences(root)
    assert "\n" not in str(caught.value)


def test_the_packaging_is_named(dataset, tmp_path):
    make_npy(tmp_path / "new", {}, {})
    make_csv(tmp_path / "old" / "AffectNet", HEADER, HEADER)
    assert dataset.packaging(tmp_path / "new").name == "npy"
    assert dataset.packaging(tmp_path / "old").name == "csv"
    assert "AffectNet/Manually_Annotated/Manually_Annotated_Images" in dataset.packaging(tmp_path / "old").found


@pytest.mark.parametrize("there", [[], ["anger/image1.jpg", "contempt/image2.jpg"], None])
def test_what_is_no_affectnet_is_told_with_what_was_found(dataset, tmp_path, there):
    root = tmp_path / "raw"
    if there is not None:
        root.mkdir()
    for name in there or []:
        put(root / name)
    found = {0: "holds nothing", 2: "holds anger, contempt"}.get(len(there)) if there is not None else "does not exist"
    with pytest.raises(ClefError, match=f"{found}; expected AffectNet: train_set and val_set"):
        dataset.packaging(root)


def test_lists_without_images_and_images_without_labels_are_told(dataset, tmp_path):
    make_csv(tmp_path / "lists", HEADER, HEADER)
    (tmp_path / "lists/Manually_Annotated/Manually_Annotated_Images").rmdir()
    (tmp_path / "lists/Manually_Annotated").rmdir()
    with pytest.raises(ClefError, match="lists and no images; expected the folder Manually_Annotated"):
        dataset.packaging(tmp_path / "lists")
    make_npy(tmp_path / "half", {"0.jpg": 1}, {"0.jpg": 1})
    (tmp_path / "half/val_set/annotations/0_exp.npy").unlink()
    (tmp_path / "half/val_set/annotations").rmdir()
    with pytest.raises(ClefError, match=r"val_set/annotations: cannot be listed \(No such file or directory\)"):
        dataset.sequences(tmp_path / "half")


def test_the_known_counts_are_those_of_the_publication():
    known = AffectNet.published_counts
    assert known.frames_by["split"] == {"train": 287_651, "test": 4_000}
    assert {split: sum(counts.values()) for split, counts in known.classes.items()} == known.frames_by["split"]
    without_contempt = {split: sum(counts.values()) - counts["contempt"] for split, counts in known.classes.items()}
    assert without_contempt == {"train": 283_901, "test": 3_500}
