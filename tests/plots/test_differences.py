import math

import pytest

from clef.comparison.differences import ComparedRun, Difference
from clef.plots.differences import differences_figure
from clef.plots.style import plot_style


def test_differences_and_intervals_are_at_their_values_and_undefined_ones_are_left_out():
    rows = {
        "AU01": Difference(0.5, 0.6, 0.05, 0.15),
        "AU02": Difference(math.nan, 0.6, math.nan, math.nan),
        "AU04": Difference(0.5, 0.4, math.nan, math.nan),
        "mean": Difference(0.5, 0.5, -0.02, 0.02),
    }
    with plot_style():
        axes = differences_figure(ComparedRun("other", rows, 1, 1, {}), totals=1).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(rows)
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert points == [(pytest.approx(10), 0), (pytest.approx(-10), 2), (0, 3.5)]
    intervals = [list(line.get_xdata()) for line in axes.lines if line.get_alpha() is not None]
    assert intervals == [pytest.approx([5, 15]), pytest.approx([-2, 2])]
