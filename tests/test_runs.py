from pathlib import Path

import pytest
import yaml

from clef.params import ParamsError
from clef.runs import load_params, load_runs

BASE = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "device": "cpu"}


def write(folder: Path, name: str, **values) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_extends_overrides_only_what_differs(tmp_path):
    write(tmp_path, "base", **BASE, finetune={"batch": 32, "optimiser": {"lr_image": 0.5}})
    child = load_params(write(tmp_path, "child", extends="base", finetune={"optimiser": {"lr_text": 0.25}}))
    assert child.finetune.batch == 32
    assert child.finetune.optimiser.lr_image == 0.5
    assert child.finetune.optimiser.lr_text == 0.25


def test_extends_can_switch_a_section_off(tmp_path):
    write(tmp_path, "base", **BASE, pretrain={"epochs": 3})
    assert load_params(write(tmp_path, "child", extends="base", pretrain=None)).pretrain is None


def test_data_set_is_named_after_its_adapter_unless_named(tmp_path):
    assert load_params(write(tmp_path, "a", **BASE)).dataset.name == "demo"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**BASE, "finetune": {"epoch": 3}}, "finetune.epoch: unknown key; did you mean epochs?"),
        ({**BASE, "finetune": {"optimiser": {"lr": 3}}}, "finetune.optimiser.lr: unknown key"),
        (
            {**BASE, "pretrain": {"temprature": 1}},
            "pretrain.temprature: unknown key; did you mean temperature?",
        ),
        ({**BASE, "finetune": {"epochs": "many"}}, "finetune.epochs: input should be a valid integer"),
        ({**BASE, "crop": {"detector": "mtcnn"}}, "crop.detector: input should be 'lbp', 'yunet'"),
        ({**BASE, "labels": {"action_units": [1, 1]}}, "labels: expected two or more distinct"),
        (
            {**BASE, "pretrain": {"image_image": 0, "image_text": 0}},
            "pretrain: image_image and image_text are both 0",
        ),
        ({**BASE, "texts": {"name_template": "a face"}}, "expected one {} where the text goes"),
        ({**BASE, "folds": {"protocol": "official"}}, "folds: number must be 1"),
        ({"device": "cpu"}, "dataset: missing"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_expectation(tmp_path, values, message):
    path = write(tmp_path, "run", **values)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_is_blamed_on_the_file_that_makes_it(tmp_path):
    write(tmp_path, "base", **BASE, finetune={"epoch": 3})
    with pytest.raises(ParamsError, match=r"base\.yaml: finetune\.epoch"):
        load_params(write(tmp_path, "child", extends="base", finetune={"batch": 3}))
    with pytest.raises(ParamsError, match=r"other\.yaml: finetune\.batch"):
        load_params(write(tmp_path, "other", extends="base", finetune={"batch": "x"}))


def test_a_circle_of_extends_is_named(tmp_path):
    write(tmp_path, "a", extends="b")
    path = write(tmp_path, "b", extends="a")
    with pytest.raises(ParamsError, match="circle: b -> a -> b"):
        load_params(path)


def test_a_missing_parent_is_named_with_its_child(tmp_path):
    path = write(tmp_path, "a", extends="nowhere")
    with pytest.raises(ParamsError, match=r"a\.yaml: extends: .*nowhere\.yaml: no such file"):
        load_params(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "", "extends: 3\n"])
def test_a_file_that_is_no_params_file(tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"odd\.yaml: "):
        load_params(tmp_path / "odd.yaml")


def test_runs_over_one_data_set_must_agree_on_how_it_is_made(tmp_path):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "b", **{**BASE, "render": {"kind": "videos", "seed": 5}})
    with pytest.raises(ParamsError, match=r"b\.yaml: render differs from a\.yaml"):
        load_runs(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": {"from": "nowhere"}}, "no run nowhere"),
        ({"pretrain": {"from": "none"}}, "trains no stage 1"),
        ({"pretrain": {"from": "a"}, "crop": {"size": 100}}, "crop differs from that of a"),
        ({"pretrain": {"from": "a"}, "folds": {"seed": 4}}, "folds differs from that of a"),
        ({"pretrain": {"from": "a"}, "seeds": [0, 9]}, "run a has no seed 9"),
    ],
)
def test_stage_1_of_another_run_must_fit(tmp_path, changes, message):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "none", **BASE, pretrain=None)
    write(tmp_path, "b", **{**BASE, **changes})
    with pytest.raises(ParamsError, match=message):
        load_runs(tmp_path)


def test_every_params_file_of_the_project_is_valid():
    assert "demo" in load_runs(Path(__file__).parents[1] / "params")
