"""Inventories of whole, incomplete and damaged copies: findings of a quick check, and files written by `ingest`."""

import json
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.datasets import open_dataset
from clef.datasets.bp4d import Bp4d
from clef.datasets.published_counts import PublishedCounts
from clef.demo.render import render_demo
from clef.errors import ClefError
from clef.fixtures import bp4d, write_fixture
from clef.fixtures.size import FixtureSize
from clef.ingest import check_recordings
from clef.ingest.inventory import ingest, shard_sequences, take_inventory
from clef.ingest.report import Report
from clef.ingest.tables import read_labels, read_sequences
from clef.params.schema import Params
from clef.runs.source_files import source_files
from tests.datasets import opened
from tests.datasets.files import remove

SUBJECTS = ("F001", "M001")
SIZE = FixtureSize(subjects=SUBJECTS, frames=6, pixels=64)
LABELS = "AUCoding/AU_OCC"
OCCURRENCE = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)


demo = partial(opened.demo, size=160, seconds=[0.6, 0.8])


@pytest.fixture
def full(fixture_copy, tmp_path) -> Path:
    return fixture_copy("bp4d", "full", SIZE, tmp_path)


def checked(root: Path, adapter: str = "bp4d", max_bad: float = 0.05, full: bool = False) -> Report:
    values = {"dataset": {"adapter": adapter, "options": {"subjects": list(SUBJECTS)}}, "ingest": {"max_bad": max_bad}}
    return take_inventory(open_dataset(Params.model_validate(values)), root, full).report


def row(report: Report, what: str) -> tuple[object, object, bool]:
    (found,) = [row for row in report.rows if row.what == what]
    return found.found, found.expected, found.differs


def note(report: Report, what: str) -> str:
    (found,) = [row for row in report.rows if row.what == what]
    return found.note


def true_rates() -> dict[str, float]:
    """Share of the labelled frames of the full release in which each action unit is present."""
    frames = [(recording, frame) for recording in bp4d.recordings(SIZE, "full") for frame in recording.labelled]
    return {f"AU{unit:02d}": sum(r.code(f, unit) for r, f in frames) / len(frames) for unit in OCCURRENCE}


# Counts


def test_whole_copy_has_the_published_counts(full, monkeypatch):
    lost = sum(bp4d.is_missing(r, frame) for r in bp4d.recordings(SIZE, "full") for frame in r.labelled)
    by = {"activity": {"T1": 8, "T2": 9}, "fold": {"P1": 64}}  # both subjects are in the first part
    published = PublishedCounts("fixture", 2, 16, labelled_frames=64, frames_by=by, rates=true_rates())
    monkeypatch.setattr(Bp4d, "published_counts", published)
    report = checked(full)
    assert report.usable
    assert row(report, "packaging")[0] == "full release"
    assert row(report, "frame number")[0] == "label = image +1"
    for name, number in {"subjects": 2, "sequences": 16, "labelled frames": 64}.items():
        assert row(report, name) == (number, number, False)
    assert row(report, "labelled frames without an image") == (lost, 0, lost > 0)
    assert row(report, "labelled frames of activity T1") == (8, 8, False)
    assert row(report, "labelled frames of activity T2") == (8, 9, True)
    assert row(report, "labelled frames of fold P1") == (64, 64, False)
    for name, share in true_rates().items():
        assert row(report, f"rate of {name}") == (pytest.approx(share), share, False)
    # Published rates are not expected of some of the subjects.
    monkeypatch.setattr(Bp4d, "published_counts", PublishedCounts("fixture", 41, 328, rates=true_rates()))
    report = checked(full)
    assert report.usable
    assert [r.what for r in report.rows if r.part == "rates" and r.expected is not None] == []
    assert row(report, "sequences") == (16, 16, False)


def test_rate_that_differs_from_the_published_one_is_marked_and_uncodable_frames_count_for_none(full, monkeypatch):
    rates = true_rates() | {"AU01": true_rates()["AU01"] - 0.01}
    monkeypatch.setattr(Bp4d, "published_counts", PublishedCounts("fixture", labelled_frames=64, rates=rates))
    report = checked(full)
    assert [r.what for r in report.rows if r.differs and r.part == "rates"] == ["rate of AU01"]
    assert report.usable
    assert "rate of AU01" in report.verdict
    path = full / LABELS / "F001_T1.csv"
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, ",".join([first.split(",")[0], *["9"] * 98, "1"]), *rest]) + "\n")
    report = checked(full)
    assert (row(report, "uncodable frames")[0], row(report, "labelled frames")[0]) == (1, 64)
    frames = [(r, f) for r in bp4d.recordings(SIZE, "full") for f in r.labelled if (r.name, f) != ("F001_T1", 2)]
    assert row(report, "rate of AU12")[0] == pytest.approx(sum(r.code(f, 12) for r, f in frames) / len(frames))


def test_missing_recording_is_not_unreadable_and_not_counted_if_known(full, monkeypatch):
    shutil.rmtree(full / "Sequences" / "M001" / "T3")
    report = checked(full, max_bad=0.1)
    assert report.usable
    assert row(report, "missing sequences") == (1, 0, True)
    assert row(report, "unreadable recordings")[0] == 0
    assert row(report, "files of no recording") == (0, 0, False)  # its labelled frames count
    assert [line for line in report.remarks if line.startswith("1 recording is missing, ") and "M001_T3" in line]
    published = PublishedCounts("fixture", subjects=2, sequences=16, known_missing={"M001_T3": "lost by its makers"})
    monkeypatch.setattr(Bp4d, "published_counts", published)
    report = checked(full, max_bad=0.1)
    assert row(report, "sequences") == (15, 15, False)
    assert row(report, "missing sequences") == (0, 0, False)
    assert note(report, "missing sequences") == "without M001_T3 (lost by its makers)"
    assert not checked(full, max_bad=0.0).usable  # it counts towards max_bad all the same


@pytest.mark.parametrize(
    ("folds", "splits"), [({"number": 2}, {"all"}), ({"protocol": "official", "number": 1}, {"train", "test"})]
)
def test_only_splits_that_a_fold_uses_need_every_class(tmp_path, folds, splits):
    lines = [f"{subject}/{name}.jpg,{subject},{name}" for subject in ("P01", "P02") for name in ("fear", "joy")]
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
    report = take_inventory(open_dataset(Params.model_validate(values)), tmp_path, full=False).report
    assert {r.what.split()[0] for r in report.rows if r.part == "classes"} == splits
    assert report.usable == (splits == {"all"})


# Recordings and labels


@pytest.mark.parametrize(
    ("name", "packaging", "location"),
    [
        ("bp4d", "full", "Sequences/F001/T6"),
        ("bp4d", "videos", "BP4D-Spontaneous/2F01_10.avi"),
        ("bp4dplus", "zips", "2D+3D/F001.zip: F001/T6"),
    ],
)
@pytest.mark.parametrize(("labelled", "max_bad"), [(4, 0.09), (40, 0.09), (40, 0.4)])
def test_one_missing_recording_counts_by_its_frames_too(
    fixture_copy, tmp_path, name, packaging, location, labelled, max_bad
):
    """A quick check and `ingest` agree, also about one recording with many labelled frames."""
    root = fixture_copy(name, packaging, SIZE, tmp_path)
    remove(root, location)
    if packaging == "videos":
        (root / location).touch()
    (label_file,) = root.rglob("F001_T6.csv")
    header, first, *_ = label_file.read_text().splitlines()
    rows = [",".join([str(frame), first.partition(",")[2]]) for frame in range(2, 2 + labelled)]
    label_file.write_text("\n".join([header, *rows]) + "\n")
    for full in (False, True):
        report = checked(root, name, max_bad, full)
        assert report.usable == (labelled == 4 or max_bad == 0.4), report.problems
        assert not [line for line in report.remarks if "belong" in line]
        assert report.usable or "F001_T6 (40)" in report.verdict


def test_every_broken_label_file_is_named(full):
    (full / LABELS / "F001_T2.csv").write_text("")
    (full / LABELS / "M001_T3.csv").write_text("0,1\nfoo,bar\n")
    problems = checked(full).problems
    assert [problem.split(":")[0] for problem in problems] == [f"{LABELS}/F001_T2.csv", f"{LABELS}/M001_T3.csv"]


def test_sample_prefers_labelled_recordings(tmp_path, monkeypatch):
    """Six of the ten tasks of BP4D+ have no labels, so opening their videos checks no labels."""
    write_fixture("bp4dplus", "videos", tmp_path, FixtureSize(subjects=SUBJECTS, frames=4, pixels=64))
    monkeypatch.setattr(check_recordings, "OPENED", 9)
    for path in (tmp_path / LABELS).iterdir():
        path.write_text(f"{path.read_text()}999{',0' * 35}\n")
    report = checked(tmp_path, "bp4dplus")
    assert row(report, "windows past the video's end") == (8, 0, True)
    assert note(report, "unreadable recordings") == "9 of 20 were opened"


def test_images_that_cannot_be_decoded_are_a_problem(full):
    for path in full.rglob("*.jpg"):
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    report = checked(full, max_bad=0.5)
    assert any("the first image cannot be decoded in 16 of 16 recordings opened" in p for p in report.problems)


def test_report_contains_no_path_outside_the_raw_folder(full):
    (full / LABELS / "F001_T2.csv").write_text("")
    shutil.rmtree(full / "Sequences" / "M001" / "T1")
    report = checked(full)
    assert report.root == str(full)
    assert str(full.parent) not in json.dumps(report.as_dict() | {"root": ""})
    assert set(report.versions) >= {"clef", "python", "av", "pyarrow"}


# What `ingest` writes


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    render_demo(demo().params.render, root, workers=1)
    return root


@pytest.fixture
def raw(rendered, tmp_path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "raw"))


def test_recordings_labels_and_report_are_written(rendered, tmp_path):
    inventory = ingest(demo(), rendered, tmp_path / "sequences.parquet")
    sequences = read_sequences(tmp_path / "sequences.parquet")
    assert inventory.sequences == sequences
    assert [s.sequence for s in sequences] == ["F001_T1", "F001_T2", "M001_T1", "M001_T2"]
    for sequence in sequences:
        assert (sequence.width, sequence.height, sequence.fps, sequence.first_frame) == (160, 160, 25.0, 1)
        assert 15 <= (sequence.frames or 0) <= 20
        assert sequence.problem is None
    labels = read_labels(tmp_path / "labels.parquet")
    assert labels.equals(demo().labels(rendered, sequences))
    assert "verdict: complete: all as expected" in (tmp_path / "check.txt").read_text()
    for shard in ("F001", "M001"):
        assert shard_sequences(demo(), rendered, shard) == [s for s in sequences if s.shard == shard]


def test_broken_video_is_named_and_more_than_allowed_write_nothing(raw, tmp_path, caplog, capsys):
    (raw / "videos" / "F001" / "T2.mp4").write_bytes(b"")
    ingest(demo(max_bad=0.25), raw, tmp_path / "made" / "sequences.parquet")
    (broken,) = [s for s in read_sequences(tmp_path / "made" / "sequences.parquet") if s.problem]
    assert broken.sequence == "F001_T2"
    assert any(message.startswith("videos/F001/T2.mp4 (") for message in caplog.messages)
    with pytest.raises(ClefError, match=r"^not usable: 1 recording cannot be read, .* 0 of 4: videos/F001/T2\.mp4"):
        ingest(demo(max_bad=0.2), raw, tmp_path / "none" / "sequences.parquet")
    assert "verdict: not usable: " in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_only_the_tables_module_makes_tables_stale():
    """Rule `ingest` lists it as code; modules that judge and word findings must not be imported there."""
    assert source_files("clef.ingest.tables", within=("clef.ingest",)) == ["clef/ingest/tables.py"]


def test_shard_without_recordings_is_an_error(rendered, tmp_path):
    with pytest.raises(ClefError, match="demo: no shard F002; expected one of F001, M001"):
        shard_sequences(demo(), rendered, "F002")
    with pytest.raises(ClefError, match="no recordings of M001 found"):
        shard_sequences(demo(), tmp_path, "M001")


def test_versioned_recordings_that_were_not_pulled_are_named(raw, tmp_path, caplog):
    for name in ("F001", "M001", "labels"):
        paths = ["render.json"] if name == "labels" else [f"videos/{name}/{activity}.mp4" for activity in ("T1", "T2")]
        outs = [{"path": path, "size": (raw / path).stat().st_size, "hash": "md5"} for path in paths]
        (raw / f"{name}.dvc").write_text(json.dumps({"outs": outs}))
    ingest(demo(), raw, tmp_path / "sequences.parquet")
    assert caplog.messages == []
    (raw / "videos" / "M001" / "T2.mp4").unlink()
    for read in (ingest, shard_sequences):
        with pytest.raises(ClefError, match=r"versioned, but not pulled: M001; run `dvc pull \S+M001\.dvc`"):
            read(demo(), raw, tmp_path / "sequences.parquet" if read is ingest else "M001")
    assert len(shard_sequences(demo(), raw, "F001")) == 2
