import csv
import json

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
    assert texts(draw(summary).axes[0].get_yticklabels()) == ["happiness", "sadness", "fear", "mean", "accuracy"]


def test_the_legend_has_only_what_is_drawn(expressions, with_labels):
    figure = draw(expressions[0])
    assert marks(figure, "D") == []
    assert texts(figure.legends[0].get_texts()) == ["F1", "95 % interval over test images", "always the most frequent"]
    summary = with_labels(2)
    for row in summary["rows"].values():
        row.update(ci_low=None, ci_high=None)
    summary["rows"]["AU02"] = dict.fromkeys(summary["rows"]["AU02"])
    assert texts(draw(summary).axes[0].texts) == ["not defined"]
    assert "95 %" not in " ".join(texts(draw(summary).legends[0].get_texts()))


@pytest.mark.parametrize("number", [2, 41])
def test_texts_do_not_overlap(with_labels, number):
    figure = draw(with_labels(number))
    axes = figure.axes[0]
    shown = [text for text in axes.get_xticklabels() if 0 <= text.get_position()[0] <= 100]
    artists = [*axes.get_yticklabels(), axes.xaxis.label, figure.legends[0], *shown]
    boxes = [artist.get_window_extent() for artist in artists]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_the_csv_has_the_values_of_the_plot(action_units, tmp_path):
    summary, _ = action_units
    summary["rows"]["AU06"]["activity_only"] = None
    write_f1_plot(tmp_path, summary)
    rows = list(csv.DictReader((tmp_path / "f1.csv").read_text().splitlines()))
    assert list(rows[0]) == ["label", "f1", "ci_low", "ci_high", "floor", "activity_only"]
    assert [row["label"] for row in rows] == ["AU01", "AU06", "AU12", "mean"]
    assert rows[3]["f1"] == f"{summary['rows']['mean']['f1']:.4f}"
    assert rows[1]["activity_only"] == ""
