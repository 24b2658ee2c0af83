from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.datasets.rafdb import RafDb
from clef.errors import ClefError
from clef.ingest.inventory import ingest, take_inventory
from clef.params.schema import Params

LIST = "EmoLabel/list_patition_label.txt"
LINES = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7"]
FILES = ["train_00001_aligned.jpg", "train_00002_aligned.jpg", "test_0001_aligned.jpg"]


def open_with(images: str = "aligned", detector: str = "none", max_bad: float = 0.0) -> RafDb:
    return open_dataset(
        Params.model_validate(
            {
                "dataset": {"adapter": "rafdb", "options": {"images": images, "blocks": 2}},
                "labels": {"kind": "expressions", "expressions": ["neutral", "fear", "sadness"]},
                "folds": {"protocol": "official", "number": 1},
                "crop": {"detector": detector},
                "ingest": {"max_bad": max_bad},
            }
        )
    )


def make(root: Path, lines: list[str] = LINES, files: list[str] = FILES, folder: str = "Image/aligned") -> Path:
    (root / LIST).parent.mkdir(parents=True)
    (root / LIST).write_text("\n".join(lines))
    (root / folder).mkdir(parents=True)
    for name in files:
        (root / folder / name).touch()
    return root


def labels_of(dataset: RafDb, root: Path) -> dict[str, str]:
    table = dataset.labels(root, dataset.sequences(root))
    return dict(zip(table["sequence"], table["expression"], strict=True))


@pytest.mark.parametrize("base", [".", "basic", "raf-basic", "RAF-DB/basic"])
def test_codes_count_from_surprise_and_images_have_another_ending_than_the_list(tmp_path, base):
    make(tmp_path / base)
    dataset = open_with()
    assert labels_of(dataset, tmp_path) == {"train_00001": "sadness", "train_00002": "surprise", "test_0001": "neutral"}
    images = {image.sequence: image for image in dataset.sequences(tmp_path)}
    prefix = "" if base == "." else f"{base}/"
    assert images["test_0001"].source == f"{prefix}Image/aligned/test_0001_aligned.jpg"
    assert {name: image.split for name, image in images.items()} == {
        "train_00001": "train",
        "train_00002": "train",
        "test_0001": "test",
    }


def test_every_code_has_its_class(tmp_path):
    lines = [f"train_{number:05d}.jpg {number}" for number in range(1, 8)]
    assert list(labels_of(open_with(), make(tmp_path, lines)).values()) != []
    by_name = labels_of(open_with(), tmp_path)
    assert [by_name[f"train_{number:05d}"] for number in range(1, 8)] == [
        "surprise",
        "fear",
        "disgust",
        "happiness",
        "sadness",
        "anger",
        "neutral",
    ]


def test_a_list_whose_name_was_mended_is_found(tmp_path):
    make(tmp_path)
    (tmp_path / LIST).rename(tmp_path / "EmoLabel/list_partition_label.txt")
    assert len(labels_of(open_with(), tmp_path)) == 3


def test_letter_case_of_files_does_not_matter(tmp_path):
    make(tmp_path, files=["train_00001_aligned.JPG", *FILES[1:]])
    sources = {image.sequence: image.source for image in open_with().sequences(tmp_path)}
    assert sources["train_00001"] == "Image/aligned/train_00001_aligned.JPG"


def test_original_images_are_another_folder_and_want_a_detector(tmp_path):
    make(tmp_path, files=["train_00001.jpg", "test_0001.jpg"], folder="Image/original")
    dataset = open_with("original", "retinaface")
    assert dataset.packaging(tmp_path).name == "original"
    assert {image.source for image in dataset.sequences(tmp_path)} >= {"Image/original/train_00001.jpg"}
    with pytest.raises(ClefError, match=r"Image/original is not cropped, and crop\.detector is none"):
        open_with("original").packaging(tmp_path)
    with pytest.raises(
        ClefError, match=r"no folder Image/aligned.*Image/original exists: set `options: \{images: or"
    ):
        open_with().packaging(tmp_path)


def test_a_missing_image_is_named_with_the_others(tmp_path):
    make(tmp_path / "raw", files=FILES[:2])
    for name in FILES[:2]:
        (tmp_path / "raw/Image/aligned" / name).write_bytes(b"no picture")
    with pytest.raises(
        ClefError, match=r"3 recordings cannot be read, .* 0 of 3: .*test_0001_aligned\.jpg \(missing\)"
    ):
        ingest(open_with(), tmp_path / "raw", tmp_path / "s.parquet")


def test_of_very_many_images_some_are_decoded_and_of_all_the_size_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("clef.ingest.check_recordings.IMAGES_DECODED", 4)
    names = [f"train_{number:05d}" for number in range(8)]
    make(tmp_path / "raw", [f"{name}.jpg 1" for name in names], [f"{name}_aligned.jpg" for name in names[1:]])
    for name in names[2:]:
        (tmp_path / "raw/Image/aligned" / f"{name}_aligned.jpg").write_bytes(b"no picture")
    listed = take_inventory(open_with(max_bad=1.0), tmp_path / "raw", full=True).sequences
    bad = {image.sequence for image in listed if image.problem is not None}
    assert {names[0], names[1]} <= bad  # missing, and empty
    assert len(bad - {names[0], names[1]}) == 2
    assert all(image.frames == 1 for image in listed)


def test_images_that_the_list_has_not_are_strangers(tmp_path):
    make(tmp_path, files=[*FILES, "train_99999_aligned.jpg", ".DS_Store"])
    dataset = open_with()
    assert dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path)) == ["Image/aligned/train_99999_aligned.jpg"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["train_00001.jpg 0"], r"line 1: 'train_00001\.jpg 0'; expected an image and a class 1 to 7"),
        (["train_00001.jpg 8"], "line 1: .*expected an image and a class 1 to 7"),
        (["train_00001.jpg 5", "val_0001.jpg 5"], r"line 2: 'val_0001\.jpg 5'"),
        (["train_00001.jpg 5", "train_00001.jpg 5"], r"line 2: train_00001\.jpg appears twice"),
        (["train_00001_aligned.jpg 5"], "line 1: 'train_00001_aligned.jpg 5'"),
        ([""], "no lines; expected one an image"),
    ],
)
def test_a_list_that_does_not_fit_is_named(tmp_path, lines, message):
    make(tmp_path, lines)
    with pytest.raises(ClefError, match=message) as caught:
        open_with().sequences(tmp_path)
    assert "list_patition_label.txt" in str(caught.value)


def test_what_is_no_rafdb_is_told_with_what_was_found(tmp_path):
    (tmp_path / "compound").mkdir()
    with pytest.raises(
        ClefError, match=r"holds compound; expected RAF-DB's basic set: EmoLabel/list_patition_label\.txt"
    ):
        open_with().packaging(tmp_path)


def test_two_copies_are_told_apart_by_nobody(tmp_path):
    make(tmp_path / "basic")
    make(tmp_path / "raf-basic")
    with pytest.raises(ClefError, match="in basic and in raf-basic; expected one copy"):
        open_with().packaging(tmp_path)


def test_a_misspelt_option_is_named(tmp_path):
    with pytest.raises(ClefError, match=r"dataset\.options\.image: unknown key; did you mean images\?"):
        open_dataset(
            Params.model_validate(
                {
                    "dataset": {"adapter": "rafdb", "options": {"image": "aligned"}},
                    "labels": {"kind": "expressions", "expressions": ["neutral", "fear"]},
                }
            )
        )


def test_the_known_counts_are_those_of_the_list():
    known = RafDb.published_counts
    assert known.frames_by["split"] == {"train": 12_271, "test": 3_068}
    assert {split: sum(counts.values()) for split, counts in known.classes.items()} == known.frames_by["split"]
    assert known.classes["test"]["happiness"] == 1185
