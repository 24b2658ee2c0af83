import math

import pytest
from matplotlib.text import Text

from clef.comparison.differences import Difference
from clef.comparison.variant_results import Cell, RowResults
from clef.plots.style import ORANGE, plot_style
from clef.plots.variants import variants_figure
from clef.runs.variants import TableRow

RESULTS = [
    RowResults(TableRow("full", "PA PI I N D"), 0.66, {None: Cell(0.6, 0.5, 0.7, 0.4, None)}, {}),
    RowResults(
        TableRow("linear"),
        0.64,
        {
            None: Cell(0.55, 0.5, 0.6, 0.4, Difference(0.6, 0.55, -0.08, -0.02)),
            "labels10": Cell(0.5, None, None, 0.3, Difference(0.45, 0.5, math.nan, math.nan)),
        },
        {},
    ),
    RowResults(TableRow("clip-i"), None, {}, {}, {None: "needs weights: there are none"}),
    RowResults(
        TableRow("vectors", against="linear"),
        None,
        {None: Cell(0.5, 0.4, 0.6, 0.4, Difference(0.6, 0.5, -0.2, 0.0), Difference(0.55, 0.5, -0.1, 0.01))},
        {},
    ),
]


def test_differences_intervals_and_published_values_are_at_their_places():
    with plot_style():
        figure = variants_figure("demo", RESULTS, ["labels10", "unseen"])
    whole, tenth = figure.axes  # no row has results for unseen activities
    assert [text.get_text() for text in whole.get_yticklabels()] == [
        "PA PI I N D",
        "linear head",
        "the run's pretrained weights, linear head",
        "free class vectors, unit image features",
        "against linear head",
    ]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in whole.lines if line.get_marker() == "o"]
    assert points == [(0, 0), (pytest.approx(-5), 1), (pytest.approx(-10), 3), (pytest.approx(-5), 4)]
    intervals = [list(line.get_xdata()) for line in whole.lines if line.get_alpha() is not None]
    assert intervals == [pytest.approx([-8, -2]), pytest.approx([-20, 0]), pytest.approx([-10, 1])]
    assert not [line for line in tenth.lines if line.get_marker() == "o" and line.get_ydata()[0] != 1]
    published = [line.get_xdata()[0] for line in whole.lines if line.get_markeredgecolor() == ORANGE]
    assert published == [0, pytest.approx(-2)]
    assert [text.get_text() for text in whole.texts] == ["60.0", "55.0", "needs weights", "50.0"]
    assert [text.get_text() for text in tenth.texts] == ["not trained", "50.0", "not trained", "not trained"]
    assert whole.get_xlim() == tenth.get_xlim()


def test_the_legend_covers_no_text():
    with plot_style():
        figure = variants_figure("demo", RESULTS, ["labels10"])
        figure.draw_without_rendering()
    (legend,) = figure.legends
    others = [text for text in figure.findobj(Text) if text.get_text() and text not in legend.get_texts()]
    assert "difference in percentage points" in [text.get_text() for text in others]
    assert not [text for text in others if legend.get_window_extent().overlaps(text.get_window_extent())]
