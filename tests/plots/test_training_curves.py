import numpy as np
import pytest

from clef.plots.style import plot_style
from clef.plots.training_curves import (
    read_curves,
    read_training,
    stage1_folders,
    training_figure,
    write_training_plot,
)
from clef.runtime.files import write_text


@pytest.fixture
def folds(tmp_path):
    folders = [tmp_path / "demo" / "seed0" / f"fold{fold}" for fold in range(3)]
    for number, folder in enumerate(folders):
        lines = {"pretrain": "", "finetune": ""}
        for step in range(1, 201):
            value = 2.0 / step + number
            losses = f'"train/image_names": {value}, "train/names_descriptions": 1.0, "train/loss": {value + 1}'
            others = '"train/lr_factor": 0.5, "train/gradient_norm": 9.0, "speed/images_per_second": 100.0'
            lines["finetune"] += f'{{"step": {step}, {losses}, {others}}}\n'
            lines["pretrain"] += f'{{"step": {step}, "train/image_text": 3.0, "train/loss": 3.0}}\n'
        for stage, text in lines.items():
            write_text(folder / f"{stage}.metrics.jsonl", text)
    return folders


def draw(stages, run="demo", stage1=None):
    with plot_style():
        return training_figure(run, stages, stage1)


def test_each_loss_is_one_smoothed_line_per_training(folds):
    curves = read_curves(folds, "finetune")
    assert set(curves) == {"image_names", "names_descriptions", "loss"}
    steps, values = curves["image_names"][2]
    np.testing.assert_array_equal(steps, np.arange(1, 201))
    np.testing.assert_allclose(values, 2.0 / steps + 2)
    assert set(read_curves(folds, "pretrain")) == {"image_text"}, "a single loss has no total"
    axes = draw({"finetune": curves}).axes[0]
    assert len(axes.lines) == 9
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["image and names", "names and descriptions", "total"]
    assert len(axes.lines[0].get_xdata()) == 50
    assert axes.lines[0].get_xdata()[0] == pytest.approx(2.5)
    assert axes.lines[0].get_ydata()[0] == pytest.approx(np.mean([2 / step for step in (1, 2, 3, 4)]))


def test_each_stage_has_a_panel_that_names_another_run(folds):
    stages = {stage: read_curves(folds, stage) for stage in ("pretrain", "finetune")}
    for run, title in (("demo", "stage 1"), ("mine", "stage 1, of demo")):
        assert [axes.get_title(loc="left") for axes in draw(stages, run, "demo").axes] == [title, "stage 2"]


def test_a_stage_1_that_all_folds_share_is_drawn_once(folds, tmp_path):
    assert stage1_folders(folds, "plus") == [tmp_path / "plus" / "seed0" / "foldall"]


def test_missing_files_are_no_error(tmp_path):
    write_training_plot(tmp_path / "plots", "demo", read_training([tmp_path / "demo" / "seed0" / "fold0"], None), None)
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("text", ["{\n", '{"step": 1, "train/loss": "high"}\n', "[1]\n", '{"train/loss": 1}\n'])
def test_a_damaged_file_is_reported_and_the_others_are_drawn(folds, text, caplog):
    (folds[1] / "finetune.metrics.jsonl").write_text(text)
    assert len(read_curves(folds, "finetune")["image_names"]) == 2
    assert "fold1/finetune.metrics.jsonl: not drawn" in caplog.text
