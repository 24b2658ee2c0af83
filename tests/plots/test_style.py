import matplotlib
import pytest

from clef.plots.f1 import write_f1_plot

FILES = ("f1.csv", "f1.svg", "f1.png")


def test_the_bytes_depend_on_the_summary_only(action_units, tmp_path):
    write_f1_plot(tmp_path / "a", action_units[0])
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.facecolor": "red", "svg.hashsalt": "mine"}):
        write_f1_plot(tmp_path / "b", action_units[0])
        assert matplotlib.rcParams["font.size"] == 20
    for name in FILES:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        for word in (b"dc:date", b"dc:creator", b"Software", b"tEXt", b"atplotlib v"):
            assert word not in content, (name, word)


def test_a_plot_that_cannot_be_written_leaves_no_partial_file(action_units, tmp_path):
    (tmp_path / "f1.png").mkdir()
    with pytest.raises(OSError, match=r"f1\.png"):
        write_f1_plot(tmp_path, action_units[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f1.csv", "f1.png", "f1.svg"]
