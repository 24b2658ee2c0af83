import numpy as np

from clef.plots.all_plots import write_plots
from clef.plots.confusion import confusion_figure
from clef.plots.training_curves import read_training
from clef.training.metrics_file import MetricsFile


def test_action_units_have_f1_and_training_curves_with_stage_1_from_the_run_that_trained_it(action_units, tmp_path):
    source = tmp_path / "source" / "seed0" / "fold0" / "pretrain.metrics.jsonl"
    MetricsFile(source).append(1, {"train/image_text": 1.0})
    folder = tmp_path / "bp4d" / "plots"
    folds = [tmp_path / "bp4d" / "seed0" / "fold0"]
    for stage1, curves in (("bp4d", set()), ("source", {"training.svg", "training.png"})):
        write_plots(folder, *action_units, read_training(folds, stage1), stage1)
        assert {path.name for path in folder.iterdir()} == {"f1.csv", "f1.svg", "f1.png", *curves}


def test_expressions_have_a_confusion_matrix(expressions, tmp_path):
    summary, metrics = expressions
    write_plots(tmp_path / "plots", summary, 3 * metrics, {}, None)
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"f1.csv", "f1.svg", "f1.png", "confusion.svg", "confusion.png"}
    added_up = f"happiness ({3 * sum(metrics[0]['confusion'][0])})"
    assert added_up in (tmp_path / "plots" / "confusion.svg").read_text()


def test_cells_are_shares_of_the_true_expression(expressions):
    axes = confusion_figure(expressions[0], np.array([[6, 3, 0, 1], [0, 5, 0, 0], [0, 0, 0, 0]])).axes[0]
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "60", (0, 1): "30", (0, 3): "10", (1, 1): "100"}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["happiness (10)", "sadness (5)", "fear (0)"]
    assert axes.get_xticklabels()[3].get_text() == "no face found"
    axes = confusion_figure(expressions[0], np.array([[6, 3, 0, 0], [0, 5, 0, 0], [0, 0, 4, 0]])).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["happiness", "sadness", "fear"]
