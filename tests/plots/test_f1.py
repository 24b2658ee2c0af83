import csv
import json

import pytest
from matplotlib.figure import Figure

from clef.plots.f1 import COLUMNS, f1_figure, write_f1_plot
from clef.plots.style import plot_style

UNDEFINED = dict.fromkeys(("f1", "ci_low", "ci_high", "floor", "activity_only"))


def draw(summary) -> Figure:
    with plot_style():
        figure = f1_figure(summary)
        figure.draw_without_rendering()
    return figure


def marks(figure, marker):
    """(per cent, row) of every mark of a kind."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


def test_every_row_stands_at_its_values(action_units):
    summary, _ = action_units
    figure = draw(summary)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["AU01", "AU06", "AU12", "mean"]
    for marker, key in (("o", "f1"), ("|", "floor"), ("D", "activity_only")):
        drawn = marks(figure, marker)
        assert [x for x, _ in drawn] == [pytest.approx(100 * summary["rows"][name][key]) for name in names]
        assert [y for _, y in drawn] == [0, 1, 2, 3.5]
    bars = [
        line.get_xdata() for line in figure.axes[0].lines if line.get_marker() == "None" and len(line.get_xdata()) == 2
    ]
    ends = [[100 * summary["rows"][name][key] for key in ("ci_low", "ci_high")] for name in names]
    assert [list(bar) for bar in bars[:4]] == [pytest.approx(pair) for pair in ends]


def test_the_title_says_what_was_measured_on_what(action_units):
    title = draw(action_units[0]).get_suptitle()
    assert title == "bp4d: strict F1 (last epoch, threshold 0.5)\ndata set bp4d, 1 fold, seed 0"


def test_the_order_is_that_of_the_labels_not_of_the_file(expressions):
    """JSON with sorted keys and what `summarize` returned draw the same."""
    summary, _ = expressions
    read = json.loads(json.dumps(summary, sort_keys=True))
    for one in (summary, read):
        names = [text.get_text() for text in draw(one).axes[0].get_yticklabels()]
        assert names == ["happiness", "sadness", "fear", "mean", "accuracy"]


def test_without_activities_and_intervals_there_are_no_marks_of_them(expressions, with_labels):
    figure = draw(expressions[0])
    assert marks(figure, "D") == []
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["F1", "95 % interval over test images", "always the most frequent"]
    summary = with_labels(2)
    for row in summary["rows"].values():
        row.update(ci_low=None, ci_high=None)
    assert "95 %" not in " ".join(text.get_text() for text in draw(summary).legends[0].get_texts())


def test_a_label_that_never_occurs_has_a_row_without_marks(with_labels):
    figure = draw(with_labels(3, AU02=UNDEFINED))
    assert [y for _, y in marks(figure, "o")] == [0, 2, 3.5]
    assert [text.get_text() for text in figure.axes[0].texts] == ["not defined"]


@pytest.mark.parametrize("number", [2, 7, 12, 27, 41])
def test_no_text_covers_another(with_labels, number):
    figure = draw(with_labels(number))
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    boxes += [figure.axes[0].xaxis.label.get_window_extent(), figure.legends[0].get_window_extent()]
    boxes += [
        text.get_window_extent() for text in figure.axes[0].get_xticklabels() if 0 <= text.get_position()[0] <= 100
    ]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_the_table_holds_the_numbers_of_the_plot(action_units, tmp_path):
    summary, _ = action_units
    summary["rows"]["AU06"]["activity_only"] = None
    write_f1_plot(tmp_path, summary)
    rows = list(csv.DictReader((tmp_path / "f1.csv").read_text().splitlines()))
    assert list(rows[0]) == ["label", *COLUMNS]
    assert [row["label"] for row in rows] == ["AU01", "AU06", "AU12", "mean"]
    assert rows[3]["f1"] == f"{summary['rows']['mean']['f1']:.4f}"
    assert rows[1]["activity_only"] == ""
