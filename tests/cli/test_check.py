import json
from pathlib import Path

import pytest

from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from tests.cli.conftest import ENVIRONMENT, clef, on_a_terminal

PARAMS = """
dataset: {adapter: folder, name: mine, options: {subjects: [P01, P02]}}
labels: {action_units: [1, 4, 12]}
folds: {number: 2}
"""


@pytest.fixture
def laboratory(tmp_path) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "mine.yaml").write_text(PARAMS)
    write_fixture(
        "folder", "videos", tmp_path / "data" / "raw" / "mine", FixtureSize(subjects=("P01", "P02"), pixels=64)
    )
    return tmp_path


def test_a_whole_copy_is_exit_code_0_and_ends_with_verdict_and_versions(laboratory):
    ran = clef("check", "mine", folder=laboratory)
    assert ran.returncode == 0
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    assert lines[0] == "clef check mine: adapter folder, raw data in data/raw/mine"
    assert [line.split()[:3] for line in lines if line.startswith("subjects")] == [["subjects", "2", "2"]]
    assert lines[-3] == "verdict: complete: all as expected"
    assert lines[-1].startswith("clef 0.1.0, python 3.")


def test_a_half_copied_one_is_exit_code_1_and_one_verdict(laboratory):
    for path in (laboratory / "data" / "raw" / "mine" / "videos" / "P02").iterdir():
        path.unlink()
    ran = clef("check", "mine", folder=laboratory)
    assert ran.returncode == 1
    assert ran.stderr == ""
    (verdict,) = [line for line in ran.stdout.splitlines() if line.startswith("verdict: ")]
    assert verdict == "verdict: not usable: no recordings of 1 of 2 subjects: P02; complete the copy"


def test_the_table_is_as_wide_as_the_terminal(laboratory):
    widths = []
    for columns in (60, 100):
        code, shown = on_a_terminal("check", "mine", folder=laboratory, columns=columns)
        assert code == 0
        widths.append(max(len(line) for line in shown.splitlines() if line.strip("─") == "" != line))
    assert widths[0] <= 60 < widths[1] <= 100


def test_json_has_the_numbers(laboratory):
    ran = clef("check", "mine", "--raw", "data/raw/mine", "--json", folder=laboratory)
    report = json.loads(ran.stdout)
    assert report["usable"] is True
    (row,) = [row for row in report["rows"] if row["what"] == "labelled frames"]
    assert (row["found"], row["expected"]) == (16, None)
    (row,) = [row for row in report["rows"] if row["what"] == "rate of AU12"]
    assert 0 < row["found"] < 1


def test_a_file_is_written_of_a_usable_copy_only(laboratory):
    assert clef("check", "mine", "--out", "check.txt", folder=laboratory).returncode == 0
    assert "verdict: complete" in (laboratory / "check.txt").read_text()
    (laboratory / "check.txt").unlink()
    (laboratory / "data" / "raw" / "mine" / "labels.csv").write_text("")
    ran = clef("check", "mine", "--out", "check.txt", folder=laboratory)
    assert ran.returncode == 1
    assert "clef: error: not usable: labels.csv: no rows; expected a column path" in ran.stderr
    assert not (laboratory / "check.txt").exists()


def test_weights_of_nobody_are_one_line(tmp_path):
    ran = clef("fetch-weights", "mtcnn", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == (
        "clef: error: fetch-weights: no weights of mtcnn; "
        "expected one of retinaface, yunet, clip, or NAME/TAG of a model\n"
    )


def test_without_a_network_file_address_hash_and_place_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "https_proxy", "http://127.0.0.1:9")
    ran = clef("fetch-weights", "yunet", "--to", "models/net.onnx", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    for part in (
        "face_detection_yunet_2023mar.onnx",
        "https://github.com/opencv/",
        "8f2383e4dd3cf",
        "put it at models/net.onnx",
    ):
        assert part in ran.stderr
    assert list((tmp_path / "models").iterdir()) == []
