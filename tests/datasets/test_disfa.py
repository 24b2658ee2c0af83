from pathlib import Path

import pytest

from clef.datasets.disfa import CODED, LEFT_OUT_BY_JAA
from clef.errors import ClefError
from tests.datasets.files import put
from tests.datasets.opened import action_units


def put_labels(root: Path, subject: str, frames: range, name: str = "{subject}_au{unit}.txt", **special: str) -> None:
    for unit in reversed(CODED):
        lines = "".join(f"{frame},{(frame + unit) % 6}\n" for frame in frames)
        path = f"ActionUnit_Labels/{subject}/{name.format(subject=subject, unit=unit)}"
        put(root, path, content=special.get(f"au{unit}", lines))


def labels_of(dataset, root: Path):
    return dataset.labels(root, dataset.sequences(root))


@pytest.fixture
def copy(tmp_path) -> Path:
    put(tmp_path, "Videos_LeftCamera/LeftVideoSN001_comp.avi", "Videos_LeftCamera/LeftVideoSN010_Comp.AVI")
    put(tmp_path, "Video_RightCamera/RightVideoSN001_Comp.avi", "Video_RightCamera/rightvideosn010_comp.avi")
    put_labels(tmp_path, "SN001", range(1, 7))
    put_labels(tmp_path, "SN010", range(1, 6), "{subject}_AU{unit}.TXT")
    put(tmp_path, "Landmark_Points/SN001/tmp_frame_lm/SN001_0000_lm.mat")
    return tmp_path


@pytest.mark.parametrize(("camera", "folder"), [("left", "Videos_LeftCamera"), ("right", "Video_RightCamera")])
def test_both_cameras_are_found_in_any_letter_case(copy, camera, folder):
    dataset = action_units("disfa", camera=camera)
    sequences = dataset.sequences(copy)
    assert [(s.sequence, s.subject, s.shard, s.activity, s.first_frame) for s in sequences] == [
        (subject, subject, subject, None, 1) for subject in ("SN001", "SN010")
    ]
    assert {Path(s.source).parent.name for s in sequences} == {folder}
    found = f"videos of the {camera} camera of 2 subjects in {folder}, labels of 2 subjects"
    assert dataset.packaging(copy).found == found
    assert dataset.unexpected_files(copy, sequences) == []


def test_files_may_end_at_different_frames_and_a_frame_missing_in_one_is_unknown_there(copy):
    put_labels(copy, "SN001", range(1, 7), au9="2,1\n3,5\n1,4\n6,2\n5,0\n")
    labels = labels_of(action_units("disfa"), copy)
    assert labels.groupby("sequence").size().to_dict() == {"SN001": 6, "SN010": 5}
    own = labels.query("sequence == 'SN001'")
    assert own["AU09"].tolist() == [4, 1, 5, 9, 0, 2]
    assert 9 not in own["AU12"].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,1\n2,5\n3,4\n4,0\n", r"SN001_au9\.txt: 4 frames, .* other files have 6; expected as many: restore it"),
        ("1,7\n", "frame 1: intensity 7; expected 0 to 5"),
        ("1,0\n1,0\n", "frame 1 appears twice"),
        ("1,x\n", "expected lines `frame,intensity`"),
        ("1,0\n2,0,1\n", r"SN001_au9\.txt: .*row 2: Expected 2 columns, got 3: 2,0,1; expected lines .*; restore it"),
        (None, r"SN001: no SN001_au9\.txt; expected all twelve"),
    ],
)
def test_a_broken_label_file(copy, content, message):
    path = "ActionUnit_Labels/SN001/SN001_au9.txt"
    if content is None:
        (copy / path).unlink()
    else:
        put(copy, path, content=content)
    with pytest.raises(ClefError, match=message):
        labels_of(action_units("disfa"), copy)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Video_RightCamera.zip"], r"holds Video_RightCamera\.zip; expected videos of DISFA: .*; put or link"),
        (
            ["DISFA+/Images/SN001/A1_AU1/000.jpg", "DISFA+/Labels/SN001/A1_AU1/AU1.txt"],
            r"DISFA\+/Labels/SN001/A1_AU1 holds labels of DISFA\+, another data set; expected videos of DISFA: .*; put",
        ),
        (["LeftVideoSN001_comp.avi"], "no labels of any recording; expected ActionUnit_Labels"),
        (
            ["RightVideoSN001_Comp.avi"],
            r"no videos of the left camera found, 1 of the other; .*dataset\.options\.camera",
        ),
        (
            ["a/LeftVideoSN001_comp.avi", "b/leftvideoSN001_comp.avi"],
            "are both for SN001, camera left; expected one; remove one",
        ),
    ],
)
def test_an_unusable_copy(tmp_path, names, message):
    put(tmp_path, *names)
    with pytest.raises(ClefError, match=message):
        labels_of(action_units("disfa"), tmp_path)


def test_unexpected_files(copy):
    put(copy, "Videos_LeftCamera/LeftVideoSN014_comp.avi", "Videos_LeftCamera/LeftVideoSN001_comp (1).avi")
    put_labels(copy, "SN002", range(1, 3))
    dataset = action_units("disfa")
    assert dataset.unexpected_files(copy, dataset.sequences(copy)) == [
        "ActionUnit_Labels/SN002",
        "Videos_LeftCamera/LeftVideoSN001_comp (1).avi",
        "Videos_LeftCamera/LeftVideoSN014_comp.avi",
    ]


def test_frames_left_out_by_jaa_lose_only_their_labels(tmp_path):
    put(tmp_path, "LeftVideoSN004_comp.avi")
    put_labels(tmp_path, "SN004", range(4535, 4561))
    frames = labels_of(action_units("disfa"), tmp_path)["frame"].tolist()
    assert frames == list(range(4535, 4561))
    jaa = action_units("disfa", leave_out="jaa")
    assert labels_of(jaa, tmp_path)["frame"].tolist() == [frame for frame in frames if not 4541 <= frame <= 4555]
    left_out = sum(last - first + 1 for own in LEFT_OUT_BY_JAA.values() for first, last in own)
    counts = [each.published_counts_of(tmp_path).labelled_frames for each in (action_units("disfa"), jaa)]
    assert counts == [130_814, 130_814 - left_out]
