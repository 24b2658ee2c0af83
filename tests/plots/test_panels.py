import numpy as np
import pytest

from clef.plots.panels import calibration_panel, precision_recall_panel, spread_panel
from clef.plots.style import BLUE, ORANGE, plot_style

PRECISION, RECALL = np.array([0.2, 0.5, np.nan]), np.array([1.0, 0.4, 0.0])


@pytest.fixture(autouse=True)
def style():
    with plot_style():
        yield


def lines(figure, colour):
    """(x, y) of every line of a colour."""
    drawn = [line for line in figure.axes[0].lines if line.get_color() == colour]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in drawn]


def test_precision_and_recall_are_in_per_cent_with_the_headline_as_a_point():
    figure = precision_recall_panel([(PRECISION, RECALL)], (PRECISION / 2, RECALL), 0.3, (0.6, 0.7))
    assert lines(figure, BLUE) == [([100, 40, 0], pytest.approx([10, 25, np.nan], nan_ok=True))]
    assert lines(figure, ORANGE) == [([60], [70])]
    assert len(figure.axes[0].lines) == 4
    assert figure.axes[0].lines[2].get_ydata() == [30, 30]


def test_calibration_leaves_out_empty_bins():
    predicted, observed = np.array([0.1, np.nan, 0.8]), np.array([0.2, np.nan, 0.9])
    figure = calibration_panel(predicted, observed, np.array([4, 0, 2]))
    assert lines(figure, BLUE) == [(pytest.approx([10, 80]), pytest.approx([20, 90]))]
    assert [bar.get_height() for bar in figure.axes[0].patches] == [25, 0, 12.5]
    assert len(calibration_panel(predicted, observed, np.zeros(3, dtype=int)).axes[0].patches) == 3


def test_each_kind_has_a_strip_with_a_point_per_known_score():
    strips = [("folds", np.array([0.5, 0.7])), ("subjects", np.array([0.9, np.nan, 0.9, 0.1]))]
    figure = spread_panel(strips, 0.6)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["folds", "subjects"]
    (_, folds), (x, subjects) = lines(figure, BLUE)
    assert folds == pytest.approx([50, 70])
    assert subjects == pytest.approx([10, 90, 90])
    assert len({*x}) == 3, "equal points are set apart"
    assert all(abs(value - 1) < 0.3 for value in x)
    assert lines(figure, ORANGE)[0][1] == [60, 60]
    assert not lines(spread_panel(strips, None), ORANGE)
