import re
from pathlib import Path

import pytest

from clef.errors import ClefError
from tests.datasets.files import put, put_zip
from tests.datasets.opened import action_units as adapter

LABEL_CSV = ",".join(map(str, range(100))) + "\n" + ",".join(["3", *["0"] * 99]) + "\n"


def listed(dataset, root: Path) -> dict[str, tuple[str, int]]:
    return {s.sequence: (s.source, s.first_frame) for s in dataset.sequences(root)}


def labels_of(dataset, root: Path):
    return dataset.labels(root, dataset.sequences(root))


@pytest.mark.parametrize("zero", ["0000.jpg", "000.jpg", "00.JPG", "0.png"])
def test_any_image_zero_means_that_images_count_from_zero(tmp_path, zero):
    put(tmp_path, "Sequences/F001/T1/0002.jpg", "Sequences/F001/T2/0009.jpg", f"Sequences/M018/T8/{zero}")
    dataset = adapter("bp4d")
    packaging = dataset.packaging(tmp_path)
    assert (packaging.name, packaging.offset) == ("full release", 1)
    assert packaging.reason == "an image has number 0 (M018/T8): images count from 0 and frames from 1"
    assert packaging.found == "images of 2 subjects in Sequences, no labels"
    assert listed(dataset, tmp_path) == {
        "F001_T1": ("Sequences/F001/T1", 1),
        "F001_T2": ("Sequences/F001/T2", 1),
        "M018_T8": ("Sequences/M018/T8", 1),
    }


def test_without_an_image_zero_images_are_numbered_like_their_labels(tmp_path):
    put(tmp_path, "BP4D/BP4D-training/F001/T1/2440.jpg", "BP4D/BP4D-fpoints/F001/T1/0.mat")
    put(tmp_path, "BP4D/BP4D-training/F001/T1/0000.obj", "BP4D/AUCoding/AUCoding/F001_T1.csv")
    dataset = adapter("bp4d")
    packaging = dataset.packaging(tmp_path)
    assert (packaging.name, packaging.offset) == ("FERA-2015", 0)
    assert packaging.found == "images of 1 subjects in BP4D/BP4D-training, labels in BP4D/AUCoding/AUCoding"
    assert listed(dataset, tmp_path) == {"F001_T1": ("BP4D/BP4D-training/F001/T1", 0)}


def test_videos_of_bp4d_are_named_by_original_task_numbers_or_by_subject_and_task(tmp_path):
    numbers = ("01", "03", "07", "08", "09", "10", "11", "13")
    put(tmp_path, *(f"BP4D-Spontaneous/2F01_{number}.avi" for number in numbers), "BP4D-Spontaneous/m018_t8.MP4")
    put(tmp_path, "BP4D-Spontaneous/2F01_02.avi", "BP4D-Spontaneous/2F24_01.avi", "BP4D-Spontaneous/notes.avi")
    dataset = adapter("bp4d")
    expected = {f"F001_T{n}": (f"BP4D-Spontaneous/2F01_{number}.avi", 1) for n, number in enumerate(numbers, start=1)}
    assert listed(dataset, tmp_path) == expected | {"M018_T8": ("BP4D-Spontaneous/m018_t8.MP4", 1)}
    assert dataset.packaging(tmp_path).offset is None
    unexpected = dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path))
    assert unexpected == ["BP4D-Spontaneous/2F24_01.avi", "BP4D-Spontaneous/notes.avi"]


def test_the_packaging_with_most_subjects_is_used_and_the_other_is_named(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "videos/F001_T1.mp4", "videos/F002_T1.mp4")
    found = adapter("bp4d").packaging(tmp_path).found
    assert found == "videos of 2 subjects in videos, no labels; also images in Sequences, which are not used"
    assert adapter("bp4d", packaging="images").packaging(tmp_path).name == "full release"
    with pytest.raises(ClefError, match=r"no zips of BP4D; expected Sequences/F001/T1/0000\.jpg"):
        adapter("bp4d", packaging="zips").packaging(tmp_path)


@pytest.mark.parametrize(
    ("name", "folder", "first", "second"),
    [
        ("bp4d", "Sequences", "F001/T1/0000.jpg", "M001/T1/0000.jpg"),
        ("bp4dplus", "2D+3D", "F001.zip", "M001.zip"),
        ("bp4d", "videos", "2F01_01.avi", "2M01_01.avi"),
    ],
)
def test_a_folder_of_links_joins_two_parts_of_a_release(tmp_path, name, folder, first, second):
    """As documented. Without it the two parts are refused, since they might be two copies."""
    put(tmp_path, f"disk1/{folder}/{first}", f"disk2/{folder}/{second}")
    root = tmp_path / "raw"
    (root / folder).mkdir(parents=True)
    for part in [path for disk in ("disk1", "disk2") for path in (tmp_path / disk / folder).iterdir()]:
        (root / folder / part.name).symlink_to(part)
    dataset = adapter(name, subjects=["F001", "M001"])
    assert {sequence.subject for sequence in dataset.sequences(root)} == {"F001", "M001"}
    assert dataset.unexpected_files(root, dataset.sequences(root)) == []
    both = rf"disk1/{re.escape(folder)} and disk2/{re.escape(folder)} both hold .*; expected one; "
    with pytest.raises(ClefError, match=both):
        adapter(name).sequences(tmp_path)


def test_only_one_zip_is_opened_to_list_recordings(tmp_path):
    put_zip(tmp_path / "2D+3D" / "F001.zip", "F001/T1/0000.jpg", "F001/T2/0001.jpg")
    put(tmp_path, "2D+3D/M058.ZIP", "2D+3D/F099.zip", "2D+3D/F002.zip.part", "3DFeatures/F001_T1.csv")
    dataset = adapter("bp4dplus")
    assert dataset.packaging(tmp_path).offset == 1
    sequences = dataset.sequences(tmp_path)
    assert len(sequences) == 20
    assert {(s.source, s.kind, s.first_frame) for s in sequences if s.subject == "F001"} == {
        ("2D+3D/F001.zip", "zip", 1)
    }
    assert [s.inside for s in sequences if s.sequence == "M058_T10"] == ["M058/T10"]
    assert dataset.unexpected_files(tmp_path, sequences) == ["2D+3D/F002.zip.part", "2D+3D/F099.zip"]


def test_a_broken_zip_does_not_determine_the_numbering(tmp_path):
    put(tmp_path, "F001.zip")
    put_zip(tmp_path / "F002.zip", "F002/T1/000.jpg")
    packaging = adapter("bp4dplus").packaging(tmp_path)
    assert (packaging.offset, packaging.reason[:43]) == (1, "an image has number 0 (F002.zip: F002/T1): ")


def test_labels_of_missing_recordings_are_unexpected(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "Sequences/F001/T2/0000.jpg")
    put(tmp_path, "AUCoding/AU_OCC/F001_T1.csv", "AUCoding/AU_OCC/F002_T1.csv", content=LABEL_CSV)
    put(tmp_path, "AUCoding/AU_INT/AU06/F001_T1_AU06.csv", content="3,9\n")
    dataset = adapter("bp4d")
    labels = labels_of(dataset, tmp_path)
    assert labels[["sequence", "frame", "AU01"]].to_numpy().tolist() == [["F001_T1", 3, 0]]
    assert dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path)) == ["AUCoding/AU_OCC/F002_T1.csv"]


def test_only_action_units_outside_the_benchmark_may_have_no_column(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg")
    put(tmp_path, "AUCoding/F001_T1.csv", content="0,1,2,4,6,7,10,12,14,15,17,23,24,99\n5,1,0,0,0,0,0,0,0,0,0,0,0,0\n")
    (row,) = labels_of(adapter("bp4d"), tmp_path).to_dict("records")
    assert (row["AU01"], row["AU02"], row["AU28"]) == (1, 0, 9)
    put(tmp_path, "AUCoding/F001_T1.csv", content="0,1,2,99\n5,1,0,0\n")
    with pytest.raises(ClefError, match="no column 4, 6, 7, 10"):
        labels_of(adapter("bp4d"), tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "no such folder; put or link the raw data there"),
        ([], "no recordings of BP4D; expected Sequences/F001/T1/0000.jpg .* holds nothing; put or link"),
        (["S/F001/T1/0.obj"], r"BP4D; .* the folder holds 0\.obj in S/F001/T1; put"),
        (["a/F001/T1/0.jpg", "b/F002/T1/0.jpg"], "a and b both hold images; expected one; move the other out"),
        (["S/F001/T1/0.jpg", "a/F001_T1.csv", "b/F001_T1.csv"], "a and b both hold label files; expected one"),
        (["S/F001/T1/0.jpg"], r"no labels of any recording; expected files such as F001_T1\.csv"),
    ],
)
def test_an_unusable_copy(tmp_path, names, message):
    if names is not None:
        (tmp_path / "raw").mkdir()
        put(tmp_path / "raw", *names)
    with pytest.raises(ClefError, match=message):
        labels_of(adapter("bp4d"), tmp_path / "raw")


def test_subjects_can_be_selected(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "Sequences/F002/T1/0000.jpg", "AUCoding/AU_OCC/F002_T1.csv")
    dataset = adapter("bp4d", subjects=["F001"])
    assert dataset.shards() == dataset.subjects() == ["F001"]
    assert dataset.expected_sequences() == [f"F001_T{number}" for number in range(1, 9)]
    assert set(listed(dataset, tmp_path)) == {"F001_T1"}
    assert dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path)) == []
