import re
import zipfile
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import CODED, Bp4dPlus
from clef.errors import ClefError
from clef.params.schema import Params, ParamsError

LABEL_CSV = ",".join(map(str, range(100))) + "\n" + ",".join(["3", *["0"] * 99]) + "\n"


def adapter(name: str, **options):
    return open_dataset(Params.model_validate({"dataset": {"adapter": name, "options": options}}))


def put(root: Path, *names: str, content: str = "") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def put_zip(path: Path, *members: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"")


def listed(dataset, root: Path) -> dict[str, tuple[str, int]]:
    return {s.sequence: (s.source, s.first_frame) for s in dataset.sequences(root)}


@pytest.mark.parametrize("zero", ["0000.jpg", "000.jpg", "00.JPG", "0.png"])
def test_an_image_zero_anywhere_means_that_images_count_from_zero(tmp_path, zero):
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


def test_without_an_image_zero_images_have_the_numbers_of_their_labels(tmp_path):
    put(tmp_path, "BP4D/BP4D-training/F001/T1/2440.jpg", "BP4D/BP4D-fpoints/F001/T1/0.mat")
    put(tmp_path, "BP4D/BP4D-training/F001/T1/0000.obj", "BP4D/AUCoding/AUCoding/F001_T1.csv")
    dataset = adapter("bp4d")
    packaging = dataset.packaging(tmp_path)
    assert (packaging.name, packaging.offset) == ("FERA-2015", 0)
    assert packaging.found == "images of 1 subjects in BP4D/BP4D-training, labels in BP4D/AUCoding/AUCoding"
    assert listed(dataset, tmp_path) == {"F001_T1": ("BP4D/BP4D-training/F001/T1", 0)}


@pytest.mark.parametrize(("first_image", "first_frame"), [(0, 1), (1, 0)])
def test_an_option_overrules_what_the_numbers_suggest(tmp_path, first_image, first_frame):
    put(tmp_path, f"Sequences/F001/T1/{1 - first_image}.jpg")
    dataset = adapter("bp4d", first_image=first_image)
    assert listed(dataset, tmp_path)["F001_T1"] == ("Sequences/F001/T1", first_frame)
    assert dataset.packaging(tmp_path).reason == "dataset.options.first_image is set"


def test_videos_of_bp4d_go_by_the_numbers_that_tasks_were_filmed_as(tmp_path):
    filmed = ("01", "03", "07", "08", "09", "10", "11", "13")
    put(tmp_path, *(f"BP4D-Spontaneous/2F01_{number}.avi" for number in filmed), "BP4D-Spontaneous/2M18_13.AVI")
    put(tmp_path, "BP4D-Spontaneous/2F01_02.avi", "BP4D-Spontaneous/2F24_01.avi", "BP4D-Spontaneous/notes.avi")
    dataset = adapter("bp4d")
    expected = {f"F001_T{n}": (f"BP4D-Spontaneous/2F01_{number}.avi", 1) for n, number in enumerate(filmed, start=1)}
    assert listed(dataset, tmp_path) == expected | {"M018_T8": ("BP4D-Spontaneous/2M18_13.AVI", 1)}
    assert dataset.packaging(tmp_path).offset is None
    unexpected_files = dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path))
    assert unexpected_files == ["BP4D-Spontaneous/2F24_01.avi", "BP4D-Spontaneous/notes.avi"]


def test_videos_are_also_known_by_subject_and_task(tmp_path):
    put(tmp_path, "videos/F001_T1.mp4", "videos/m018_t8.MP4")
    assert listed(adapter("bp4d"), tmp_path) == {
        "F001_T1": ("videos/F001_T1.mp4", 1),
        "M018_T8": ("videos/m018_t8.MP4", 1),
    }


def test_the_packaging_of_most_subjects_is_used_and_the_other_told(tmp_path):
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
def test_a_release_in_two_parts_is_one_by_a_folder_of_links(tmp_path, name, folder, first, second):
    """As the documentation says; the parts themselves are refused, since they might be two copies."""
    for disk, recording in (("disk1", first), ("disk2", second)):
        put(tmp_path, f"{disk}/{folder}/{recording}")
    root = tmp_path / "raw"
    (root / folder).mkdir(parents=True)
    for part in [path for disk in ("disk1", "disk2") for path in (tmp_path / disk / folder).iterdir()]:
        (root / folder / part.name).symlink_to(part)
    dataset = adapter(name, subjects=["F001", "M001"])
    assert {sequence.subject for sequence in dataset.sequences(root)} == {"F001", "M001"}
    assert dataset.unexpected_files(root, dataset.sequences(root)) == []
    with pytest.raises(
        ClefError, match=rf"disk1/{re.escape(folder)} and disk2/{re.escape(folder)} both hold .*; expected one; "
    ):
        adapter(name).sequences(tmp_path)


def test_zips_are_listed_without_reading_but_one(tmp_path):
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


def test_a_zip_that_does_not_open_does_not_decide_the_numbering(tmp_path):
    put(tmp_path, "F001.zip")
    put_zip(tmp_path / "F002.zip", "F002/T1/000.jpg")
    packaging = adapter("bp4dplus").packaging(tmp_path)
    assert (packaging.offset, packaging.reason.split(" (")[1][:19]) == (1, "F002.zip: F002/T1),")


def test_only_four_tasks_of_bp4dplus_have_labels(tmp_path):
    dataset = adapter("bp4dplus")
    assert len(dataset.expected_sequences()) == 1400
    assert len(dataset.labelled_sequences()) == 560
    assert {name.split("_")[1] for name in dataset.labelled_sequences()} == {"T1", "T6", "T7", "T8"}


@pytest.mark.parametrize("name", ["bp4d", "bp4dplus"])
def test_published_folds_test_everybody_once(name):
    dataset = adapter(name)
    for partition, folds in dataset.partitions.items():
        left_out = {"bigsmall": ["F082"]}.get(partition, [])
        tested = [subject for fold in folds for subject in fold]
        assert sorted([*tested, *left_out]) == sorted(dataset.all_subjects)
        assert len(dataset.published_as[partition]) == len(folds)


def test_the_benchmark_stands_where_others_found_it_in_the_compact_table():
    benchmark = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
    assert [Bp4dPlus.by_position.index(unit) for unit in benchmark] == [1, 2, 3, 5, 6, 8, 10, 12, 13, 15, 20, 21]
    assert len(Bp4dPlus.by_position) == 36


def test_how_many_people_there_are():
    assert (len(Bp4d.all_subjects), len(Bp4dPlus.all_subjects)) == (41, 140)
    assert [len(fold) for fold in Bp4d.partitions["three-fold"]] == [14, 14, 13]
    assert [len(fold) for fold in Bp4dPlus.partitions["fmae"]] == [35, 35, 35, 35]


def test_labels_are_those_of_the_recordings_asked_for(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "Sequences/F001/T2/0000.jpg")
    put(tmp_path, "AUCoding/AU_OCC/F001_T1.csv", "AUCoding/AU_OCC/F002_T1.csv", content=LABEL_CSV)
    put(tmp_path, "AUCoding/AU_INT/AU06/F001_T1_AU06.csv", content="3,9\n")
    dataset = adapter("bp4d")
    sequences = dataset.sequences(tmp_path)
    labels = dataset.labels(tmp_path, sequences)
    assert labels[["sequence", "frame", "AU01"]].to_numpy().tolist() == [["F001_T1", 3, 0]]
    assert dataset.unexpected_files(tmp_path, sequences) == ["AUCoding/AU_OCC/F002_T1.csv"]


def test_an_action_unit_outside_the_benchmark_may_have_no_column(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg")
    put(tmp_path, "AUCoding/F001_T1.csv", content="0,1,2,4,6,7,10,12,14,15,17,23,24,99\n5,1,0,0,0,0,0,0,0,0,0,0,0,0\n")
    dataset = adapter("bp4d")
    (row,) = dataset.labels(tmp_path, dataset.sequences(tmp_path)).to_dict("records")
    assert (row["AU01"], row["AU02"], row["AU28"]) == (1, 0, 9)
    put(tmp_path, "AUCoding/F001_T1.csv", content="0,1,2,99\n5,1,0,0\n")
    with pytest.raises(ClefError, match="no column 4, 6, 7, 10"):
        dataset.labels(tmp_path, dataset.sequences(tmp_path))


@pytest.mark.parametrize(
    "header",
    [
        ",".join(map(str, [0, *CODED, 99])),
        ",".join(["frame", *(f"AU{number}" for number in CODED), "99"]),
        ",".join(map(str, range(36))),
        ",".join(["Frame", *(f"column {letter}" for letter in range(35))]),
    ],
)
def test_the_compact_table_of_bp4dplus_goes_by_header_or_position(tmp_path, header):
    put(tmp_path, "2D+3D/F001/T1/0000.jpg")
    coded = [str(int(unit in (12, 24))) for unit in CODED]
    rows = [",".join(["7", *coded, "0"]), ",".join(["8", *["9"] * 34, "1"]), ",".join(["9", *coded, "1"])]
    put(tmp_path, "AUCoding/AU_OCC/F001_T1.csv", content="\n".join([header, *rows]) + "\n")
    dataset = adapter("bp4dplus")
    labels = dataset.labels(tmp_path, dataset.sequences(tmp_path))
    assert labels["frame"].tolist() == [7, 8, 9]
    assert [name for name in dataset.label_names if labels[name].iloc[0] == 1] == ["AU12", "AU24"]
    assert (labels.iloc[1:][dataset.label_names] == 9).all(axis=None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no recordings of BP4D; expected Sequences/F001/T1/0000.jpg .* found nothing; put or link"),
        (
            ["Sequences/F001/T1/0000.obj"],
            "BP4D; .* found Sequences, with folders of subjects in Sequences but no such",
        ),
        (["a/F001/T1/0.jpg", "b/F002/T1/0.jpg"], "a and b both hold images; expected one; move the other out"),
        (["S/F001/T1/0.jpg", "a/F001_T1.csv", "b/F001_T1.csv"], "a and b both hold label files; expected one"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, names, message):
    put(tmp_path, *names)
    with pytest.raises(ClefError, match=message):
        adapter("bp4d").sequences(tmp_path)


def test_a_folder_that_is_not_there_and_labels_that_are_not_there_are_told(tmp_path):
    with pytest.raises(ClefError, match="no such folder; put or link the raw data there"):
        adapter("bp4d").sequences(tmp_path / "nowhere")
    put(tmp_path, "Sequences/F001/T1/0000.jpg")
    dataset = adapter("bp4d")
    with pytest.raises(ClefError, match=r"no labels of any recording; expected files such as F001_T1\.csv"):
        dataset.labels(tmp_path, dataset.sequences(tmp_path))


def test_a_laboratory_may_hold_some_subjects_only(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "Sequences/F002/T1/0000.jpg", "AUCoding/AU_OCC/F002_T1.csv")
    dataset = adapter("bp4d", subjects=["F001"])
    assert dataset.shards() == dataset.subjects() == ["F001"]
    assert dataset.expected_sequences() == [f"F001_T{number}" for number in range(1, 9)]
    assert set(listed(dataset, tmp_path)) == {"F001_T1"}
    assert dataset.unexpected_files(tmp_path, dataset.sequences(tmp_path)) == []  # left out by choice


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": ["F001", "F042"]}, "subjects: BP4D has no subject F042; expected some of F001, F002"),
        ({"subjects": ["F001", "F001"]}, "subjects: expected each subject once"),
        ({"subjects": []}, "subjects: list should have at least 1 item"),
        ({"subject": ["F001"]}, "subject: unknown key; did you mean subjects?"),
        ({"first_image": 2}, "first_image: input should be 'auto', 0 or 1"),
    ],
)
def test_options_are_checked_before_anything_runs(options, message):
    with pytest.raises(ParamsError, match=rf"^dataset\.options\.{message}".replace("?", r"\?")):
        adapter("bp4d", **options)


def test_folders_by_the_million_are_not_entered(tmp_path):
    put(tmp_path, "Sequences/F001/T1/0000.jpg", "3DFeatures/F001_T1.csv", "Physiology/F001/T1/0000.jpg")
    packaging = adapter("bp4d").packaging(tmp_path)
    assert packaging.found == "images of 1 subjects in Sequences, no labels"
