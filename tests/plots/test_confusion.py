import numpy as np

from clef.plots.confusion import confusion_figure
from clef.plots.style import plot_style


def draw(summary, confusion):
    with plot_style():
        return confusion_figure(summary, np.array(confusion)).axes[0]


def test_cells_are_shares_of_the_true_expression(expressions):
    axes = draw(expressions[0], [[6, 3, 0, 1], [0, 5, 0, 0], [0, 0, 0, 0]])
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "60", (0, 1): "30", (0, 3): "10", (1, 1): "100"}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["happiness (10)", "sadness (5)", "fear (0)"]
    assert axes.get_xticklabels()[3].get_text() == "no face found"
    axes = draw(expressions[0], [[6, 3, 0, 0], [0, 5, 0, 0], [0, 0, 4, 0]])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["happiness", "sadness", "fear"]
