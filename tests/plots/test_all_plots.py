from clef.plots.all_plots import write_plots
from clef.training.metrics_file import MetricsFile


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_run_over_action_units(action_units, tmp_path):
    summary, metrics = action_units
    path = tmp_path / "bp4d" / "seed0" / "fold0" / "metrics.json"
    MetricsFile(path.with_name("finetune.metrics.jsonl")).append(1, {"train/loss": 1.0})
    write_plots(tmp_path / "bp4d" / "plots", summary, {path: metrics[0]}, None)
    assert names(tmp_path / "bp4d" / "plots") == {"f1.csv", "f1.svg", "f1.png", "training.svg", "training.png"}


def test_expressions_have_a_confusion_matrix(expressions, tmp_path):
    summary, metrics = expressions
    write_plots(tmp_path / "plots", summary, {tmp_path / "seed0" / "fold0" / "metrics.json": metrics[0]}, None)
    assert names(tmp_path / "plots") == {"f1.csv", "f1.svg", "f1.png", "confusion.svg", "confusion.png"}


def test_stage_1_is_drawn_from_the_run_it_is_of(action_units, tmp_path):
    summary, metrics = action_units
    source = tmp_path / "source" / "seed0" / "fold0" / "pretrain.metrics.jsonl"
    MetricsFile(source).append(1, {"train/image_text": 1.0})
    paths = {tmp_path / "bp4d" / "seed0" / "fold0" / "metrics.json": metrics[0]}
    write_plots(tmp_path / "bp4d" / "plots", summary, paths, "bp4d")
    assert "training.svg" not in names(tmp_path / "bp4d" / "plots")
    write_plots(tmp_path / "bp4d" / "plots", summary, paths, "source")
    assert "training.svg" in names(tmp_path / "bp4d" / "plots")
