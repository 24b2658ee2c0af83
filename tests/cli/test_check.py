import json
import shutil
from pathlib import Path

import pytest

from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize

PARAMS = """
dataset: {adapter: folder, name: mine, options: {subjects: [P01, P02]}}
labels: {action_units: [1, 4, 12]}
folds: {number: 2}
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "run1.yaml").write_text(PARAMS)
    write_fixture("folder", "videos", tmp_path / "data/raw/mine", FixtureSize(subjects=("P01", "P02"), pixels=64))
    return tmp_path


def test_a_copy_is_checked_by_the_name_of_its_data_set_or_of_a_run(checkout, clef_here):
    for name in ("mine", "run1"):
        ran = clef_here("check", name, folder=checkout)
        assert ran.returncode == 0
        lines = ran.stdout.splitlines()
        assert lines[0] == "clef check mine: adapter folder, raw data in data/raw/mine"
        assert lines[-3] == "verdict: complete: all as expected"
    shutil.rmtree(checkout / "data/raw/mine/videos/P02")
    ran = clef_here("check", "mine", folder=checkout)
    assert ran.returncode == 1
    (verdict,) = [line for line in ran.stdout.splitlines() if line.startswith("verdict: ")]
    assert verdict == "verdict: not usable: no recordings of 1 of 2 subjects: P02; complete the copy"


def test_json_has_the_numbers_and_out_writes_the_same(checkout, clef_here):
    ran = clef_here("check", "mine", "--raw", "data/raw/mine", "--json", folder=checkout)
    report = json.loads(ran.stdout)
    assert report["usable"] is True
    rows = {row["what"]: (row["found"], row["expected"]) for row in report["rows"]}
    assert rows["labelled frames"] == (16, None)
    assert 0 < rows["rate of AU12"][0] < 1
    assert clef_here("check", "mine", "--json", "--out", "check.json", folder=checkout).stdout == ""
    assert json.loads((checkout / "check.json").read_text()) == report
