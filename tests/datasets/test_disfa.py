from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.datasets.disfa import CODED, LEFT_OUT_BY_JAA, SUBJECTS
from clef.errors import ClefError
from clef.params.schema import Params


def adapter(**options):
    labels = {"action_units": [1, 2]}
    return open_dataset(Params.model_validate({"dataset": {"adapter": "disfa", "options": options}, "labels": labels}))


def put(root: Path, *names: str, content: str = "") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def put_labels(root: Path, subject: str, frames: range, name: str = "{subject}_au{unit}.txt", **special: str) -> None:
    for unit in reversed(CODED):
        lines = "".join(f"{frame},{(frame + unit) % 6}\n" for frame in frames)
        path = "ActionUnit_Labels/{subject}/" + name
        put(root, path.format(subject=subject, unit=unit), content=special.get(f"au{unit}", lines))


@pytest.fixture
def copy(tmp_path) -> Path:
    put(tmp_path, "Videos_LeftCamera/LeftVideoSN001_comp.avi", "Videos_LeftCamera/LeftVideoSN010_Comp.AVI")
    put(tmp_path, "Video_RightCamera/RightVideoSN001_Comp.avi", "Video_RightCamera/rightvideosn010_comp.avi")
    put_labels(tmp_path, "SN001", range(1, 7))
    put_labels(tmp_path, "SN010", range(1, 6), "{subject}_AU{unit}.TXT")
    put(tmp_path, "Landmark_Points/SN001/tmp_frame_lm/SN001_0000_lm.mat")
    return tmp_path


@pytest.mark.parametrize(("camera", "folder"), [("left", "Videos_LeftCamera"), ("right", "Video_RightCamera")])
def test_either_camera_is_found_in_any_letter_case(copy, camera, folder):
    dataset = adapter(camera=camera)
    sequences = dataset.sequences(copy)
    assert [(s.sequence, s.subject, s.shard, s.activity, s.first_frame) for s in sequences] == [
        (subject, subject, subject, None, 1) for subject in ("SN001", "SN010")
    ]
    assert {Path(s.source).parent.name for s in sequences} == {folder}
    found = f"videos of the {camera} camera of 2 subjects in {folder}, labels of 2 subjects"
    assert dataset.packaging(copy).found == found
    assert dataset.unexpected_files(copy, sequences) == []


def test_the_other_camera_alone_is_told(tmp_path):
    put(tmp_path, "Video_RightCamera/RightVideoSN001_Comp.avi")
    with pytest.raises(
        ClefError, match=r"no videos of the left camera found, 1 of the other; .*dataset\.options\.camera"
    ):
        adapter().sequences(tmp_path)


def test_action_units_are_joined_by_frame_whatever_the_order_of_files(copy):
    dataset = adapter()
    labels = dataset.labels(copy, dataset.sequences(copy))
    assert labels.groupby("sequence").size().to_dict() == {"SN001": 6, "SN010": 5}
    for unit in CODED:
        assert labels[f"AU{unit:02d}"].tolist() == [(frame + unit) % 6 for frame in labels["frame"]]


def test_a_frame_that_one_action_unit_lacks_is_unknown_there(copy):
    put_labels(copy, "SN001", range(1, 7), au9="2,1\n3,5\n1,4\n6,2\n5,0\n")
    dataset = adapter()
    labels = dataset.labels(copy, dataset.sequences(copy)).query("sequence == 'SN001'")
    assert labels["AU09"].tolist() == [4, 1, 5, 9, 0, 2]
    assert 9 not in labels["AU12"].tolist()


def test_a_file_that_lacks_more_than_a_frame_was_cut_off(copy):
    put_labels(copy, "SN001", range(1, 7), au9="1,1\n2,5\n3,4\n4,0\n")
    dataset = adapter()
    with pytest.raises(
        ClefError, match=r"SN001_au9\.txt: 4 frames, .* other files have 6; expected as many: restore it"
    ):
        dataset.labels(copy, dataset.sequences(copy))


def test_what_is_missing_or_wrong_is_one_line(copy):
    dataset = adapter()
    sequences = dataset.sequences(copy)
    for content, message in [
        ("", r"SN001_au9\.txt: Empty CSV file; expected lines"),
        ("1,7\n", r"frame 1: intensity 7; expected 0 to 5"),
        ("1,0\n1,0\n", "frame 1 appears twice"),
        ("1,x\n", "expected lines `frame,intensity`"),
        ("1;0\n", "expected lines `frame,intensity`"),
    ]:
        put(copy, "ActionUnit_Labels/SN001/SN001_au9.txt", content=content)
        with pytest.raises(ClefError, match=message):
            dataset.labels(copy, sequences)
    (copy / "ActionUnit_Labels/SN001/SN001_au9.txt").unlink()
    with pytest.raises(ClefError, match=r"SN001: no SN001_au9\.txt; expected all twelve"):
        adapter().labels(copy, sequences)


def test_no_labels_at_all_and_no_videos_at_all_are_told(tmp_path):
    put(tmp_path, "Video_RightCamera.zip")
    with pytest.raises(ClefError, match=r"no videos of DISFA found; .* found Video_RightCamera\.zip; put or link"):
        adapter().sequences(tmp_path)
    put(tmp_path, "LeftVideoSN001_comp.avi")
    dataset = adapter()
    with pytest.raises(ClefError, match="no labels of any recording; expected ActionUnit_Labels"):
        dataset.labels(tmp_path, dataset.sequences(tmp_path))


def test_two_videos_of_one_subject_and_camera_are_told(copy):
    put(copy, "copy/leftvideoSN001_comp.avi")
    with pytest.raises(ClefError, match="are both for SN001, camera left; expected one; remove one"):
        adapter().sequences(copy)


def test_files_of_nobody_are_strangers(copy):
    put(copy, "Videos_LeftCamera/LeftVideoSN014_comp.avi", "Videos_LeftCamera/LeftVideoSN001_comp (1).avi")
    put_labels(copy, "SN002", range(1, 3))
    dataset = adapter()
    assert dataset.unexpected_files(copy, dataset.sequences(copy)) == [
        "ActionUnit_Labels/SN002",
        "Videos_LeftCamera/LeftVideoSN001_comp (1).avi",
        "Videos_LeftCamera/LeftVideoSN014_comp.avi",
    ]


def test_frames_that_jaa_leaves_out_lose_their_label_alone(tmp_path):
    put(tmp_path, "LeftVideoSN004_comp.avi")
    put_labels(tmp_path, "SN004", range(4535, 4561))
    every, without = adapter(), adapter(leave_out="jaa")
    kept = every.labels(tmp_path, every.sequences(tmp_path))["frame"].tolist()
    assert kept == list(range(4535, 4561))
    left = without.labels(tmp_path, without.sequences(tmp_path))["frame"].tolist()
    assert left == [frame for frame in kept if not 4541 <= frame <= 4555]


def test_how_many_people_and_frames_there_are():
    assert len(SUBJECTS) == 27
    assert not {"SN014", "SN015", "SN019", "SN020", "SN022"} & set(SUBJECTS)
    windows = [window for windows in LEFT_OUT_BY_JAA.values() for window in windows]
    assert sum(last - first + 1 for first, last in windows) == 4670
    assert sorted(subject for fold in adapter().partitions["three-fold"] for subject in fold) == SUBJECTS
