import numpy as np

from clef.plots.confusion import confusion_figure, write_confusion_plot
from clef.plots.style import plot_style


def draw(summary, confusion):
    with plot_style():
        return confusion_figure(summary, np.array(confusion)).axes[0]


def test_rows_are_shares_of_the_true_expression(expressions):
    axes = draw(expressions[0], [[6, 3, 0, 1], [0, 5, 0, 0], [0, 0, 0, 0]])
    written = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "60", (0, 1): "30", (0, 3): "10", (1, 1): "100"}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["happiness (10)", "sadness (5)", "fear (0)"]
    assert axes.get_xticklabels()[3].get_text() == "no face found"


def test_the_column_without_a_face_is_there_only_if_needed(expressions):
    axes = draw(expressions[0], [[6, 3, 0, 0], [0, 5, 0, 0], [0, 0, 4, 0]])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["happiness", "sadness", "fear"]


def test_folds_and_seeds_are_added_up(expressions, tmp_path):
    summary, metrics = expressions
    write_confusion_plot(tmp_path / "one", summary, metrics)
    write_confusion_plot(tmp_path / "three", summary, metrics * 3)
    images = sum(metrics[0]["confusion"][0])
    for folder, number in (("one", images), ("three", 3 * images)):
        assert {path.name for path in (tmp_path / folder).iterdir()} == {"confusion.svg", "confusion.png"}
        assert f"happiness ({number})" in (tmp_path / folder / "confusion.svg").read_text()
