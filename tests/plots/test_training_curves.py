import numpy as np
import pytest

from clef.plots.style import plot_style
from clef.plots.training_curves import read_curves, stage1_folders, training_figure, write_training_plot
from clef.training.metrics_file import MetricsFile


@pytest.fixture
def folds(tmp_path):
    folders = [tmp_path / "demo" / "seed0" / f"fold{fold}" for fold in range(3)]
    for number, folder in enumerate(folders):
        for step in range(1, 201):
            of_names = 2.0 / step + number
            values = {"train/image_names": of_names, "train/names_descriptions": 1.0, "train/loss": of_names + 1}
            values |= {"train/lr_factor": 0.5, "train/gradient_norm": 9.0, "speed/images_per_second": 100.0}
            MetricsFile(folder / "finetune.metrics.jsonl").append(step, values)
            MetricsFile(folder / "pretrain.metrics.jsonl").append(step, {"train/image_text": 3.0, "train/loss": 3.0})
    return folders


def draw(stages):
    with plot_style():
        return training_figure("demo", stages)


def test_each_loss_is_a_line_a_training(folds):
    curves = read_curves(folds, "finetune")
    assert set(curves) == {"image_names", "names_descriptions", "loss"}
    steps, values = curves["image_names"][2]
    np.testing.assert_array_equal(steps, np.arange(1, 201))
    np.testing.assert_allclose(values, 2.0 / steps + 2)
    axes = draw({"finetune": curves}).axes[0]
    assert len(axes.lines) == 9
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "image and names",
        "names and descriptions",
        "total",
    ]


def test_noise_is_averaged_and_the_mean_kept(folds):
    axes = draw({"finetune": read_curves(folds, "finetune")}).axes[0]
    drawn = axes.lines[0]
    assert len(drawn.get_xdata()) == 50
    assert drawn.get_xdata()[0] == pytest.approx(2.5)
    assert drawn.get_ydata()[0] == pytest.approx(np.mean([2 / step for step in (1, 2, 3, 4)]))


def test_a_single_loss_is_not_drawn_twice(folds):
    assert set(read_curves(folds, "pretrain")) == {"image_text"}


def test_stages_stand_side_by_side(folds, tmp_path):
    write_training_plot(tmp_path / "plots", "demo", folds, "demo")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"training.svg", "training.png"}
    figure = draw({stage: read_curves(folds, stage) for stage in ("pretrain", "finetune")})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["stage 1", "stage 2"]


def test_a_stage_1_of_another_run_is_drawn_from_there_and_said_to_be_so(folds, tmp_path):
    write_training_plot(tmp_path / "plots", "mine", [tmp_path / "mine" / "seed0" / "fold1"], "demo")
    assert (tmp_path / "plots" / "training.svg").exists()
    with plot_style():
        figure = training_figure("mine", {"pretrain": read_curves(folds, "pretrain")}, "demo")
    assert figure.axes[0].get_title(loc="left") == "stage 1, of demo"


def test_a_stage_1_that_all_folds_share_is_drawn_once(folds, tmp_path):
    for folder in folds:
        (folder / "pretrain.metrics.jsonl").unlink()
    shared = tmp_path / "plus" / "seed0" / "foldall" / "pretrain.metrics.jsonl"
    for step in (1, 2):
        MetricsFile(shared).append(step, {"train/image_text": 3.0, "train/loss": 3.0})
    assert stage1_folders(folds, "plus") == [shared.parent]
    write_training_plot(tmp_path / "plots", "demo", folds, "plus")
    assert (tmp_path / "plots" / "training.svg").exists()


def test_files_that_are_gone_are_no_error(folds, tmp_path):
    for folder in folds:
        (folder / "finetune.metrics.jsonl").unlink()
    write_training_plot(tmp_path / "plots", "demo", folds, None)
    assert not (tmp_path / "plots").exists()
    write_training_plot(tmp_path / "plots", "demo", folds, "demo")
    assert (tmp_path / "plots" / "training.png").exists()


@pytest.mark.parametrize("text", ["{\n", '{"step": 1, "train/loss": "high"}\n', "[1]\n", '{"train/loss": 1}\n'])
def test_a_file_that_cannot_be_read_is_named_and_the_others_drawn(folds, tmp_path, text, caplog):
    (folds[1] / "finetune.metrics.jsonl").write_text(text)
    write_training_plot(tmp_path / "plots", "demo", folds, None)
    assert "fold1/finetune.metrics.jsonl: not drawn" in caplog.text
    assert len(read_curves(folds, "finetune")["image_names"]) == 2
    assert (tmp_path / "plots" / "training.svg").exists()
