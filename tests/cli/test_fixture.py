from tests.cli.conftest import clef


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
