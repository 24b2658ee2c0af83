import subprocess
import sys
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.fixtures import write_fixture
from clef.fixtures.size import FixtureSize
from tests.cli.conftest import ROOT

SMALL = FixtureSize(("F001",), frames=4, pixels=64)


def test_a_fixture_is_written_once(clef_here, tmp_path):
    arguments = ("fixture", "bp4dplus", "--to", "raw", "--subject", "F001", "--frames", "4")
    written = clef_here(*arguments, folder=tmp_path)
    assert written.returncode == 0
    assert [path.name for path in (tmp_path / "raw" / "2D+3D").iterdir()] == ["F001.zip"]
    again = clef_here(*arguments, folder=tmp_path)
    assert again.returncode == 1
    assert again.stderr == "clef: error: raw: already exists; expected a new or an empty folder\n"


def test_foreign_folders_are_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lab")
    with pytest.raises(ClefError, match="link: already exists"):
        write_fixture("bp4d", None, tmp_path / "link", SMALL)
    monkeypatch.chdir(tmp_path / "lab")
    with pytest.raises(ClefError, match=r"^\.: the current folder cannot be replaced; expected another, such as bp4d$"):
        write_fixture("bp4d", None, Path(), SMALL)


def test_leftovers_of_killed_calls_are_removed_and_foreign_files_are_kept(tmp_path):
    (tmp_path / ".new.partial").mkdir()
    code = "import os, sys; from pathlib import Path; from clef.runtime.files import temporary_path; "
    code += "left = temporary_path(Path(sys.argv[1])); (left / 'F001').mkdir(parents=True); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "raw")], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 2
    write_fixture("bp4d", None, tmp_path / "raw", SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.partial", "raw"]
