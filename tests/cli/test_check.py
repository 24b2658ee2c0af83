import json
import shutil
from pathlib import Path

import pytest

from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from tests.cli.conftest import on_a_terminal

PARAMS = """
dataset: {adapter: folder, name: mine, options: {subjects: [P01, P02]}}
labels: {action_units: [1, 4, 12]}
folds: {number: 2}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "params").mkdir()
    (folder / "params" / "run1.yaml").write_text(PARAMS)
    write_fixture("folder", "videos", folder / "data/raw/mine", FixtureSize(subjects=("P01", "P02"), pixels=64))
    return folder


@pytest.fixture
def damaged(whole, tmp_path) -> Path:
    folder = Path(shutil.copytree(whole, tmp_path / "damaged"))
    shutil.rmtree(folder / "data/raw/mine/videos/P02")
    return folder


@pytest.mark.parametrize("name", ["mine", "run1"])
def test_whole_copy_by_name_of_data_set_or_run(whole, clef_here, name):
    ran = clef_here("check", name, folder=whole)
    assert ran.returncode == 0
    lines = ran.stdout.splitlines()
    assert lines[0] == "clef check mine: adapter folder, raw data in data/raw/mine"
    assert [line.split()[:3] for line in lines if line.startswith("subjects")] == [["subjects", "2", "2"]]
    assert lines[-3] == "verdict: complete: all as expected"
    assert lines[-1].startswith("clef 0.1.0, python 3.")


def test_damaged_copy_has_exit_code_1_and_one_verdict(damaged, clef_here):
    ran = clef_here("check", "mine", folder=damaged)
    assert ran.returncode == 1
    (verdict,) = [line for line in ran.stdout.splitlines() if line.startswith("verdict: ")]
    assert verdict == "verdict: not usable: no recordings of 1 of 2 subjects: P02; complete the copy"


def test_table_is_as_wide_as_the_terminal(whole):
    widths = []
    for columns in (60, 100):
        code, shown = on_a_terminal("check", "mine", folder=whole, columns=columns)
        assert code == 0
        widths.append(max(len(line) for line in shown.splitlines() if line.strip("─") == "" != line))
    assert widths[0] <= 60 < widths[1] <= 100


def test_json_has_the_numbers_and_out_writes_the_same(whole, clef_here, tmp_path):
    ran = clef_here("check", "mine", "--raw", "data/raw/mine", "--json", folder=whole)
    report = json.loads(ran.stdout)
    assert report["usable"] is True
    (row,) = [row for row in report["rows"] if row["what"] == "labelled frames"]
    assert (row["found"], row["expected"]) == (16, None)
    (row,) = [row for row in report["rows"] if row["what"] == "rate of AU12"]
    assert 0 < row["found"] < 1
    ran = clef_here("check", "mine", "--json", "--out", str(tmp_path / "check.json"), folder=whole)
    assert ran.stdout == ""
    assert json.loads((tmp_path / "check.json").read_text()) == report
