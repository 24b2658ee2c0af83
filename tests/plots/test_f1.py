import csv
import json

import matplotlib
import pytest
from matplotlib.figure import Figure

from clef.plots.f1 import f1_figure, write_f1_plot
from clef.plots.style import plot_style


def draw(summary) -> Figure:
    with plot_style():
        figure = f1_figure(summary)
        figure.draw_without_rendering()
    return figure


def texts(artists):
    return [text.get_text() for text in artists]


def marks(figure, marker):
    """(per cent, row) of every mark with this marker."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


def test_marks_and_intervals_are_at_their_values(action_units):
    summary, _ = action_units
    figure = draw(summary)
    names = texts(figure.axes[0].get_yticklabels())
    assert names == ["AU01", "AU06", "AU12", "mean"]
    assert figure.get_suptitle() == "bp4d: strict F1 (last epoch, threshold 0.5)\ndata set bp4d, 1 fold, seed 0"
    for marker, key in (("o", "f1"), ("|", "floor"), ("D", "activity_only")):
        drawn = marks(figure, marker)
        assert [x for x, _ in drawn] == [pytest.approx(100 * summary["rows"][name][key]) for name in names]
        assert [y for _, y in drawn] == [0, 1, 2, 3.5]
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "None" and len(line.get_xdata()) == 2]
    ends = [[100 * summary["rows"][name][key] for key in ("ci_low", "ci_high")] for name in names]
    assert [list(line.get_xdata()) for line in lines[:4]] == [pytest.approx(pair) for pair in ends]


def test_labels_have_the_order_of_the_summary_not_of_its_file(expressions):
    summary = json.loads(json.dumps(expressions[0], sort_keys=True))
    expected = ["happiness", "sadness", "fear", "mean", "mean_class_accuracy", "accuracy"]
    assert texts(draw(summary).axes[0].get_yticklabels()) == expected


def test_the_legend_has_only_what_is_drawn(expressions, action_units):
    figure = draw(expressions[0])
    assert marks(figure, "D") == []
    assert texts(figure.legends[0].get_texts()) == ["F1", "95 % interval over test images", "always the most frequent"]
    summary, _ = action_units
    for row in summary["rows"].values():
        row.update(ci_low=None, ci_high=None)
    summary["rows"]["AU06"] = dict.fromkeys(summary["rows"]["AU06"])
    assert texts(draw(summary).axes[0].texts) == ["not defined"]
    assert "95 %" not in " ".join(texts(draw(summary).legends[0].get_texts()))


def test_the_csv_has_the_values_of_the_plot(action_units, tmp_path):
    summary, _ = action_units
    summary["rows"]["AU06"]["activity_only"] = None
    write_f1_plot(tmp_path, summary)
    header, *rows = csv.reader((tmp_path / "f1.csv").read_text().splitlines())
    assert header == ["label", "f1", "ci_low", "ci_high", "floor", "activity_only"]
    assert [row[0] for row in rows] == ["AU01", "AU06", "AU12", "mean"]
    assert rows[3][1] == f"{summary['rows']['mean']['f1']:.4f}"
    assert rows[1][5] == ""


def test_the_bytes_depend_on_the_summary_only(action_units, tmp_path):
    write_f1_plot(tmp_path / "a", action_units[0])
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.facecolor": "red", "svg.hashsalt": "mine"}):
        write_f1_plot(tmp_path / "b", action_units[0])
        assert matplotlib.rcParams["font.size"] == 20
    for name in ("f1.csv", "f1.svg", "f1.png"):
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        for word in (b"dc:date", b"dc:creator", b"Software", b"tEXt", b"atplotlib v"):
            assert word not in content, (name, word)
