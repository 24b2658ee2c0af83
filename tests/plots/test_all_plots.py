from clef.plots.all_plots import write_plots
from clef.training.metrics_file import MetricsFile


def test_action_units_have_f1_and_training_curves_with_stage_1_from_the_run_that_trained_it(action_units, tmp_path):
    summary, metrics = action_units
    source = tmp_path / "source" / "seed0" / "fold0" / "pretrain.metrics.jsonl"
    MetricsFile(source).append(1, {"train/image_text": 1.0})
    folder = tmp_path / "bp4d" / "plots"
    paths = {tmp_path / "bp4d" / "seed0" / "fold0" / "metrics.json": metrics[0]}
    for stage1, curves in (("bp4d", set()), ("source", {"training.svg", "training.png"})):
        write_plots(folder, summary, paths, stage1)
        assert {path.name for path in folder.iterdir()} == {"f1.csv", "f1.svg", "f1.png", *curves}


def test_expressions_have_a_confusion_matrix(expressions, tmp_path):
    summary, metrics = expressions
    paths = [tmp_path / "seed0" / f"fold{fold}" / "metrics.json" for fold in range(3)]
    write_plots(tmp_path / "plots", summary, dict.fromkeys(paths, metrics[0]), None)
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"f1.csv", "f1.svg", "f1.png", "confusion.svg", "confusion.png"}
    added_up = f"happiness ({3 * sum(metrics[0]['confusion'][0])})"
    assert added_up in (tmp_path / "plots" / "confusion.svg").read_text()
