import matplotlib

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
