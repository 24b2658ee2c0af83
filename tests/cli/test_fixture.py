import subprocess
import sys

from tests.cli.conftest import ROOT, clef


def test_a_miniature_is_made_and_never_over_another(tmp_path):
    made = clef("fixture", "bp4dplus", "--to", "raw", "--subject", "F001", "--frames", "4", folder=tmp_path)
    assert made.returncode == 0
    assert made.stderr.endswith("raw: bp4dplus, packed as zips\n")
    assert [path.name for path in (tmp_path / "raw" / "2D+3D").iterdir()] == ["F001.zip"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = clef("fixture", "bp4dplus", "--to", "raw", folder=tmp_path)
    assert again.returncode == 1
    assert again.stderr == "clef: error: raw: there already; expected a new or an empty folder\n"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_nothing_of_the_users_is_replaced_or_removed(tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "raw").symlink_to(tmp_path / "lab")
    (tmp_path / ".new.partial").mkdir()
    (tmp_path / ".new.partial" / "mine").touch()
    ran = clef("fixture", "bp4d", "--to", "raw", "--subject", "F001", "--frames", "4", folder=tmp_path)
    assert ran.stderr == "clef: error: raw: there already; expected a new or an empty folder\n"
    ran = clef("fixture", "bp4d", "--to", ".", "--frames", "4", folder=tmp_path / "lab")
    assert ran.stderr == "clef: error: .: this very folder cannot be replaced; expected another, such as bp4d\n"
    ran = clef("fixture", "bp4d", "--to", "new", "--subject", "F001", "--frames", "4", folder=tmp_path)
    assert ran.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.partial", "lab", "new", "raw"]
    assert (tmp_path / ".new.partial" / "mine").exists()


def test_what_a_killed_call_left_is_removed_by_the_next(tmp_path):
    code = "import os, sys; from pathlib import Path; from clef.runtime.files import temporary_path; "
    code += "left = temporary_path(Path(sys.argv[1])); (left / 'F001').mkdir(parents=True); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "raw")], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    clef("fixture", "bp4d", "--to", "raw", "--subject", "F001", "--frames", "4", folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_same_call_makes_the_same_bytes_and_what_is_not_known_is_told(tmp_path):
    for name in ("one", "two"):
        ran = clef(*f"fixture bp4d --packaging videos --subject M001 --frames 4 --to {name}".split(), folder=tmp_path)
        assert ran.returncode == 0
    files = [{path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
             for name in ("one", "two")]  # fmt: skip
    assert files[0] == files[1]
    for arguments, message in [
        ("bp4 --to x", "fixture: no data set bp4; expected one of"),
        ("bp4d --packaging zip --to x", "fixture: bp4d has no packaging zip; expected one of full, fera2015, videos"),
        ("bp4d --subject Q001 --to x", "fixture: no subject Q001; expected some of F001 to M018"),
        ("bp4d --pixels 100 --to x", "fixture: 100 pixels; expected 64 or more and a multiple of 16"),
    ]:
        ran = clef("fixture", *arguments.split(), folder=tmp_path)
        assert (ran.returncode, message in ran.stderr) == (1, True), ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
