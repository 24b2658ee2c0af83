"""Names that are not ASCII, in locales without UTF-8."""

import subprocess
import sys
from pathlib import Path

import pytest

from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize

ROOT = Path(__file__).parents[2]
PARAMS = """
dataset: {adapter: folder, options: {subjects: [Jürgen, P02], activities: {笑い話: joke, startle: startle}}}
labels: {action_units: [1, 4, 12]}
folds: {protocol: subjects, number: 2}
pretrain: null
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A data set with folders, files and labels whose names are not ASCII."""
    folder = tmp_path_factory.mktemp("étude")
    raw = folder / "data" / "raw" / "étude"
    write_fixture("folder", "videos", raw, FixtureSize(("P01", "P02"), 4, 64))
    for video in raw.glob("videos/*/joke.mp4"):
        video.rename(video.with_name("笑い話.mp4"))
    (raw / "videos" / "P01").rename(raw / "videos" / "Jürgen")
    table = (raw / "labels.csv").read_text(encoding="utf-8")
    (raw / "labels.csv").write_text(table.replace("P01", "Jürgen").replace("joke", "笑い話"), encoding="utf-8")
    (folder / "params").mkdir()
    (folder / "params" / "étude.yaml").write_text(PARAMS.replace("folder,", "folder, name: étude,"), encoding="utf-8")
    return folder


def check(checkout: Path, **locale: str) -> subprocess.CompletedProcess[str]:
    """Run `clef check` in a locale."""
    command = [sys.executable, "-m", "clef", "check", "étude"]
    environment = {"PYTHONPATH": str(ROOT), **locale}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("name", ["C", "xx_YY.UTF-8"])
def test_names_are_read_and_shown_in_locales_without_utf8(checkout, name):
    ran = check(checkout, LC_ALL=name)
    assert ran.stdout.startswith("clef check étude: adapter folder, raw data in data/raw/étude\n")
    assert "verdict: complete: all as expected" in ran.stdout


def test_another_encoding_is_an_error_in_one_line(checkout):
    ran = check(checkout, LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    expected = "clef: error: locale: its encoding is ascii, expected utf-8; run `export PYTHONUTF8=1` first\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", expected)
