"""Whole, half-copied and mixed-up copies: what a check says of each."""

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from clef.ingest.check import recordings
from clef.ingest.check.check import check
from clef.ingest.check.report import Report

from clef.datasets import open_dataset
from clef.datasets.bp4d import Bp4d
from clef.datasets.published_counts import PublishedCounts
from clef.errors import ClefError
from clef.fixtures import bp4d, write_fixture
from clef.fixtures.formats import put_zip
from clef.fixtures.size import FixtureSize
from clef.params.schema import IngestParams, Params
from tests.datasets import full_size
from tests.fixtures.pipeline import params, run_pipeline

SUBJECTS = ("F001", "M001")
SIZE = FixtureSize(subjects=SUBJECTS, frames=6, pixels=64)


@pytest.fixture(scope="session")
def copies(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copies")
    for dataset, packaging in (("bp4d", "full"), ("bp4d", "fera2015"), ("bp4d", "videos"), ("bp4dplus", "zips")):
        write_fixture(dataset, packaging, folder / packaging, SIZE)
    return folder


@pytest.fixture
def full(copies, tmp_path) -> Path:
    return Path(shutil.copytree(copies / "full", tmp_path / "raw"))


@pytest.fixture
def videos(copies, tmp_path) -> Path:
    return Path(shutil.copytree(copies / "videos", tmp_path / "raw"))


@pytest.fixture
def zips(copies, tmp_path) -> Path:
    return Path(shutil.copytree(copies / "zips", tmp_path / "raw"))


def checked(root: Path, adapter: str = "bp4d", max_bad: float = 0.02, frames_past_end: int = 0) -> Report:
    options = {"subjects": list(SUBJECTS)}
    ingest = {"max_bad": max_bad, "frames_past_end": frames_past_end}
    values = {"dataset": {"adapter": adapter, "options": options}, "ingest": ingest}
    return check(open_dataset(Params.model_validate(values)), root)


def row(report: Report, what: str) -> tuple[object, object, bool]:
    (found,) = [row for row in report.rows if row.what == what]
    return found.found, found.expected, found.differs


def truth() -> dict[str, float]:
    """Share of the labelled frames of the full release in which each action unit is present."""
    filmed = [(recording, frame) for recording in bp4d.recordings(SIZE, "full") for frame in recording.labelled]
    units = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
    return {f"AU{unit:02d}": sum(r.code(frame, unit) for r, frame in filmed) / len(filmed) for unit in units}


def test_a_whole_copy_is_counted(full, monkeypatch):
    lost = sum(bp4d.is_missing(r, frame) for r in bp4d.recordings(SIZE, "full") for frame in r.labelled)
    known = PublishedCounts(source="the writer", subjects=2, sequences=16, labelled_frames=64, rates=truth())
    monkeypatch.setattr(Bp4d, "published_counts", known)
    report = checked(full, max_bad=0.05)
    assert report.usable
    assert row(report, "packaging")[0] == "full release"
    assert row(report, "frame number")[0] == "label = image +1"
    assert row(report, "subjects") == (2, 2, False)
    assert row(report, "sequences") == (16, 16, False)
    assert row(report, "labelled frames") == (64, 64, False)
    assert row(report, "labelled frames without an image") == (lost, 0, lost > 0)
    for name, share in truth().items():
        assert row(report, f"rate of {name}") == (pytest.approx(share), share, False)


def test_a_rate_other_than_published_is_marked(full, monkeypatch):
    rates = truth() | {"AU12": truth()["AU12"] - 0.01}
    monkeypatch.setattr(Bp4d, "published_counts", PublishedCounts(source="the writer", labelled_frames=64, rates=rates))
    report = checked(full, max_bad=0.05)
    assert [r.what for r in report.rows if r.differs and r.part == "rates"] == ["rate of AU12"]
    assert report.usable
    assert "rate of AU12" in report.verdict


def test_rates_of_the_whole_set_are_not_those_of_some_people(full, monkeypatch):
    """A run over two of 41 subjects cannot have the rates, nor the number of recordings, of all."""
    monkeypatch.setattr(
        Bp4d,
        "published_counts",
        PublishedCounts("the writer", subjects=41, sequences=328, labelled_frames=9, rates=truth()),
    )
    report = checked(full, max_bad=0.05)
    assert report.usable
    assert [r.what for r in report.rows if r.part == "rates" and r.expected is not None] == []
    assert row(report, "sequences") == (16, 16, False)


def test_a_recording_that_copies_are_known_to_lack_is_no_surprise(full, monkeypatch):
    shutil.rmtree(full / "Sequences" / "M001" / "T3")
    known = PublishedCounts("the writer", subjects=2, sequences=16, known_missing={"M001_T3": "lost by its makers"})
    monkeypatch.setattr(Bp4d, "published_counts", known)
    report = checked(full, max_bad=0.1)
    assert row(report, "sequences") == (15, 15, False)
    assert row(report, "missing sequences") == (0, 0, False)
    assert [r.note for r in report.rows if r.what == "missing sequences"] == ["without M001_T3 (lost by its makers)"]
    assert [remark for remark in report.remarks if "M001_T3" in remark]
    assert not checked(full, max_bad=0.0).usable  # the workflow counts it all the same


@pytest.mark.parametrize(("options", "frames", "rates"), [({}, 130_814, 8), ({"leave_out": "jaa"}, 126_144, 0)])
def test_disfa_without_the_frames_that_jaa_leaves_out_is_set_against_what_is_left(tmp_path, options, frames, rates):
    full_size.write_disfa(tmp_path)
    values = {"dataset": {"adapter": "disfa", "options": options}, "labels": {"action_units": [1, 2], "threshold": 2}}
    report = check(open_dataset(Params.model_validate(values)), tmp_path)
    assert row(report, "labelled frames") == (frames, frames, False)
    assert not [r.what for r in report.rows if r.part in ("labels", "rates") and r.differs]
    assert len([r for r in report.rows if r.part == "rates" and r.expected is not None]) == rates


def test_a_labelled_recording_that_is_not_there_is_missing_and_not_broken(full):
    shutil.rmtree(full / "Sequences" / "M001" / "T3")
    report = checked(full, max_bad=0.1)
    assert report.usable
    assert row(report, "missing sequences") == (1, 0, True)
    assert row(report, "unreadable recordings")[0] == 0
    assert [line for line in report.problems + report.remarks if "M001_T3" in line and "missing" in line]


@pytest.mark.parametrize(
    ("packaging", "place"),
    [
        ("full", "Sequences/F001/T6"),
        ("fera2015", "BP4D-training/F001/T6"),
        ("videos", "BP4D-Spontaneous/2F01_10.avi"),
        ("zips", "F001/T6"),
    ],
)
@pytest.mark.parametrize("what", ["missing", "unreadable"])
@pytest.mark.parametrize(("labelled", "max_bad"), [(4, 0.09), (40, 0.09), (40, 0.4)])
def test_a_check_and_the_steps_before_training_say_the_same(
    copies, tmp_path, packaging, place, what, labelled, max_bad
):
    """One recording of many frames costs more than its share of the recordings."""
    root = Path(shutil.copytree(copies / packaging, tmp_path / "raw"))
    lose(root, place, what)
    (label_file,) = root.rglob("F001_T6.csv")
    header, first, *_ = label_file.read_text().splitlines()
    rows = [",".join([str(frame), first.partition(",")[2]]) for frame in range(2, 2 + labelled)]
    label_file.write_text("\n".join([header, *rows]) + "\n")
    adapter = "bp4dplus" if packaging == "zips" else "bp4d"
    report = checked(root, adapter, max_bad)
    settings = params(adapter, [1, 2, 4], subjects=list(SUBJECTS))
    settings = settings.model_copy(update={"ingest": IngestParams(max_bad=max_bad)})
    refused = ""
    try:
        run_pipeline(settings, root, tmp_path)
    except ClefError as error:
        refused = str(error)
    assert report.usable == (not refused), (report.problems, refused)
    assert report.usable == (labelled == 4 or max_bad == 0.4)
    assert not [line for line in report.remarks if "belong" in line]
    if refused:
        assert "F001_T6 (40)" in report.verdict
        assert "F001_T6 (40)" in refused
        assert not list(tmp_path.glob("*.arrow"))  # told before anything was cropped


def lose(root: Path, place: str, what: str) -> None:
    """Take a recording away, or make it unreadable."""
    path = root / place
    if (zipped := next(root.rglob("F001.zip"), None)) is not None:
        with zipfile.ZipFile(zipped) as archive:
            members = {name: archive.read(name) for name in archive.namelist() if not name.startswith(f"{place}/")}
        put_zip(zipped, members)
    elif path.is_dir():
        shutil.rmtree(path)
        if what == "unreadable":
            path.mkdir()
    elif what == "unreadable":
        path.write_bytes(b"")
    else:
        path.unlink()


def test_a_wrong_path(tmp_path):
    report = checked(tmp_path / "nowhere")
    assert report.verdict.startswith(
        f"not usable: the raw folder {tmp_path / 'nowhere'} does not exist; expected the raw data of bp4d"
    )
    assert not report.usable


def test_a_placeholder_folder(tmp_path):
    (tmp_path / "README.txt").write_text("put the data here")
    report = checked(tmp_path)
    (problem,) = report.problems
    assert "no recordings of BP4D" in problem
    assert "README.txt" in problem


def test_a_missing_subject(full):
    shutil.rmtree(full / "Sequences" / "M001")
    report = checked(full)
    assert row(report, "subjects") == (1, 2, True)
    assert "no recordings of 1 of 2 subjects: M001; complete the copy" in report.problems


@pytest.mark.parametrize("max_bad", [0.02, 0.6])
def test_a_zip_cut_off(zips, max_bad):
    (path,) = zips.rglob("M001.zip")
    path.write_bytes(path.read_bytes()[:-500])
    report = checked(zips, "bp4dplus", max_bad)
    named = [message for message in report.problems if "M001.zip" in message]
    assert named[0].startswith("10 recordings cannot be read, ")
    assert "M001.zip (not a whole zip file; cut off: did copying it break off?); copy them again" in named[0]


def test_every_broken_label_file_is_named(full):
    (full / "AUCoding" / "AU_OCC" / "F001_T2.csv").write_text("")
    (full / "AUCoding" / "AU_OCC" / "M001_T3.csv").write_text("0,1\nfoo,bar\n")
    report = checked(full)
    assert not report.usable
    assert [problem.split(":")[0] for problem in report.problems[:2]] == [
        "AUCoding/AU_OCC/F001_T2.csv",
        "AUCoding/AU_OCC/M001_T3.csv",
    ]
    assert len(report.problems) == 2


def test_labels_without_images_and_images_without_labels(full):
    shutil.rmtree(full / "Sequences" / "F001" / "T3")
    (full / "AUCoding" / "AU_OCC" / "M001_T5.csv").unlink()
    report = checked(full)
    assert any(problem.startswith("1 recording is missing, ") and "F001_T3" in problem for problem in report.problems)
    assert row(report, "files of no recording") == (0, 0, False)  # its labelled frames count
    assert any("1 of 16 recordings without labels, " in problem and "M001_T5" in problem for problem in report.problems)
    assert row(report, "sequences") == (15, 16, True)


def test_images_of_labelled_frames_that_are_not_there(full):
    folder = full / "Sequences" / "F001" / "T1"
    for path in sorted(folder.glob("*.jpg"))[2:5]:
        path.unlink()
    before = sum(bp4d.is_missing(r, frame) for r in bp4d.recordings(SIZE, "full") for frame in r.labelled)
    report = checked(full, max_bad=0.2)
    assert row(report, "labelled frames without an image")[0] == before + 3
    assert any("F001_T1 (3)" in remark for remark in report.remarks)


def test_images_one_off_from_their_labels(copies):
    values = {"dataset": {"adapter": "bp4d", "options": {"subjects": list(SUBJECTS), "first_image": 0}}}
    report = check(open_dataset(Params.model_validate(values)), copies / "fera2015")
    assert any("numbered lower by one: set dataset.options.first_image" in problem for problem in report.problems)
    assert checked(copies / "fera2015").usable


def test_what_to_do_about_unreadable_videos_is_said_once(videos):
    (videos / "BP4D-Spontaneous" / "2F01_01.avi").write_bytes(b"no video")
    (told,) = [problem for problem in checked(videos).problems if "cannot be read" in problem]
    assert "2F01_01.avi (cannot be opened (" in told
    assert told.count(";") == 1
    assert told.endswith(")); copy them again")


def test_labels_beyond_the_end_of_a_video(videos):
    path = videos / "AUCoding" / "AU_OCC" / "F001_T1.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "999," + lines[-1].partition(",")[2]]) + "\n")
    report = checked(videos)
    assert row(report, "windows past the video's end") == (1, 0, True)
    assert any("F001_T1 (frames 1 to 6, labels 2 to 999)" in problem for problem in report.problems)
    assert any("raise ingest.frames_past_end, which allows 0 past the end" in problem for problem in report.problems)


def test_where_not_all_are_opened_it_is_the_labelled_recordings(tmp_path, monkeypatch):
    """Six of the ten tasks of BP4D+ have no labels: opening their videos would say nothing of windows."""
    write_fixture("bp4dplus", "videos", tmp_path, FixtureSize(subjects=SUBJECTS, frames=4, pixels=64))
    monkeypatch.setattr(recordings, "OPENED", 9)
    for path in (tmp_path / "AUCoding/AU_OCC").iterdir():
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines, "999," + lines[-1].partition(",")[2]]) + "\n")
    report = checked(tmp_path, "bp4dplus")
    assert row(report, "windows past the video's end") == (8, 0, True)
    assert [r.note for r in report.rows if r.what == "unreadable recordings"] == ["9 of 20 were opened"]


def test_labels_in_the_overhang_are_a_remark(videos):
    path = videos / "AUCoding" / "AU_OCC" / "F001_T1.csv"
    lines = path.read_text().splitlines()
    codes = lines[-1].partition(",")[2]
    path.write_text("\n".join([*lines, f"7,{codes}", f"8,{codes}"]) + "\n")
    report = checked(videos, frames_past_end=2)
    assert report.usable
    assert row(report, "windows past the video's end") == (0, 0, False)
    assert any("past the end of their video in 1 recording," in remark for remark in report.remarks)
    assert any(remark.endswith("not decodable: F001_T1 (2)") for remark in report.remarks)
    assert not checked(videos, frames_past_end=1).usable
    path.write_text("\n".join([lines[0], f"0,{codes}", *lines[1:]]) + "\n")
    assert not checked(videos, frames_past_end=2).usable


def test_empty_videos(videos):
    for path in videos.rglob("2F01_*.avi"):
        path.write_bytes(b"")
    report = checked(videos)
    assert row(report, "unreadable recordings") == (8, 0, True)
    assert any("2F01_01.avi (empty)" in problem for problem in report.problems)


def test_images_that_are_none(full):
    for path in full.rglob("*.jpg"):
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    report = checked(full, max_bad=0.5)
    assert any("the first image cannot be decoded in 16 of 16 recordings opened" in p for p in report.problems)


def test_what_belongs_to_no_recording_is_named(full):
    shutil.copytree(full / "Sequences" / "F001" / "T1", full / "Sequences" / "F001" / "T1 (copy)")
    report = checked(full, max_bad=0.05)
    assert row(report, "files of no recording") == (1, 0, True)
    assert any("Sequences/F001/T1 (copy)" in remark for remark in report.remarks)


def test_a_report_shows_no_path_but_the_root(full):
    (full / "AUCoding" / "AU_OCC" / "F001_T2.csv").write_text("")
    shutil.rmtree(full / "Sequences" / "M001" / "T1")
    report = checked(full)
    said = json.dumps(report.as_dict() | {"root": ""})
    assert str(full.parent) not in said
    assert report.root == str(full)
    assert set(report.versions) >= {"clef", "python", "av", "pyarrow"}


def test_a_frame_that_cannot_be_coded_counts_for_no_rate(full):
    """Recording F001_T1 keeps its frames; of the first, nothing is known any more."""
    path = full / "AUCoding" / "AU_OCC" / "F001_T1.csv"
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, ",".join([first.split(",")[0], *["9"] * 98, "1"]), *rest]) + "\n")
    report = checked(full, max_bad=0.05)
    assert row(report, "uncodable frames")[0] == 1
    assert row(report, "labelled frames")[0] == 64
    filmed = [
        (r, frame) for r in bp4d.recordings(SIZE, "full") for frame in r.labelled if (r.name, frame) != ("F001_T1", 2)
    ]
    share = sum(r.code(frame, 12) for r, frame in filmed) / len(filmed)
    assert row(report, "rate of AU12")[0] == pytest.approx(share)


def test_frames_are_counted_by_activity_and_fold(full, monkeypatch):
    by = {"activity": {"T1": 8, "T2": 9}, "fold": {"P1": 64, "P2": 0}}  # both people are in the first part
    monkeypatch.setattr(Bp4d, "published_counts", PublishedCounts(source="the writer", frames_by=by))
    report = checked(full, max_bad=0.05)
    assert row(report, "labelled frames of activity T1") == (8, 8, False)
    assert row(report, "labelled frames of activity T2") == (8, 9, True)
    assert row(report, "labelled frames of fold P1") == (64, 64, False)
    assert row(report, "labelled frames of fold P2") == (0, 0, False)


def test_classes_are_counted_by_split_and_told_apart_from_the_runs(tmp_path):
    write_fixture("rafdb", "aligned", tmp_path / "raw", FixtureSize(frames=4, pixels=64))
    values = {
        "dataset": {"adapter": "rafdb"},
        "labels": {"kind": "expressions", "expressions": ["surprise", "fear"]},
        "crop": {"detector": "none"},
        "folds": {"protocol": "official", "number": 1},
    }
    report = check(open_dataset(Params.model_validate(values)), tmp_path / "raw")
    assert row(report, "train surprise") == (4, 1290, True)
    assert row(report, "test neutral") == (4, 680, True)
    assert {r.what.split()[1]: r.note for r in report.rows if r.part == "classes"}[
        "neutral"
    ] == "not a class of the run"
    assert report.usable


@pytest.mark.parametrize(
    ("folds", "splits"), [({"number": 2}, {"all"}), ({"protocol": "official", "number": 1}, {"train", "test"})]
)
def test_a_split_that_no_fold_goes_by_needs_no_labels_of_every_class(tmp_path, folds, splits):
    lines = [f"{who}/{name}.jpg,{who},{name}" for who in ("P01", "P02") for name in ("fear", "joy")]
    for line in lines:
        path = tmp_path / line.partition(",")[0]
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "labels.csv").write_text("\n".join(["path,subject,expression", *lines, ""]))
    values = {
        "dataset": {"adapter": "folder", "name": "mine", "options": {"subjects": ["P01", "P02"], "test_share": 0}},
        "labels": {"kind": "expressions", "expressions": ["fear", "joy"]},
        "folds": folds,
    }
    report = check(open_dataset(Params.model_validate(values)), tmp_path)
    assert {r.what.split()[0] for r in report.rows if r.part == "classes"} == splits
    assert report.usable == (splits == {"all"})
