import matplotlib
import pytest

from clef.plots.f1 import write_f1_plot

FILES = ("f1.csv", "f1.svg", "f1.png")


def test_the_same_summary_gives_the_same_bytes_whatever_the_users_settings(action_units, tmp_path):
    write_f1_plot(tmp_path / "a", action_units[0])
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.facecolor": "red", "svg.hashsalt": "mine"}):
        write_f1_plot(tmp_path / "b", action_units[0])
        assert matplotlib.rcParams["font.size"] == 20
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_files_hold_no_date_and_no_software(action_units, tmp_path):
    write_f1_plot(tmp_path, action_units[0])
    for name in FILES[1:]:
        content = (tmp_path / name).read_bytes()
        for word in (b"dc:date", b"dc:creator", b"Software", b"tEXt", b"atplotlib v"):
            assert word not in content, (name, word)


def test_nothing_half_made_is_left(action_units, tmp_path):
    (tmp_path / "f1.png").mkdir()
    with pytest.raises(OSError, match=r"f1\.png"):
        write_f1_plot(tmp_path, action_units[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f1.csv", "f1.png", "f1.svg"]
