import re
from pathlib import Path

import pytest

from clef.params.schema import ParamsError
from clef.runs.load import load_params
from clef.runs.related_runs import load_run
from clef.runs.variants import Variant, name_pattern, rows, settings
from tests.runs.conftest import write

BASE = {"dataset": {"adapter": "demo"}, "render": {}, "finetune": {"image_norm": "unit"}}


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, "demo", **BASE)
    write(tmp_path, "other", **BASE | {"pretrain": {"from": "demo"}})
    write(tmp_path, "plain", **BASE | {"pretrain": None})
    return tmp_path


@pytest.mark.parametrize(
    ("name", "runs", "stage1"),
    [
        ("demo@linear", ["demo"], "demo"),
        ("demo@image-only", [], None),
        ("demo@pi-i", ["demo@image-only"], "demo@image-only"),
        ("demo@labels10", ["demo"], "demo"),
        ("demo@unseen", [], None),
        ("demo@linear@unseen", ["demo@unseen"], "demo@unseen"),
        ("demo@image-only@labels10", ["demo@image-only"], "demo@image-only"),
        ("demo@pi-i@unseen", ["demo@image-only@unseen"], "demo@image-only@unseen"),
        ("other@image-only", ["demo@image-only"], "demo@image-only"),
        ("other@linear", ["demo"], "demo"),
    ],
)
def test_variants_share_each_distinct_stage_1(folder, name, runs, stage1):
    loaded = load_run(name, folder)
    assert sorted(loaded) == sorted([name, *runs])
    assert loaded[name].pretrain.from_ == stage1


def test_a_variant_without_stage_1_makes_up_for_its_images(folder):
    for name, source in (("demo@no-stage1", "demo"), ("demo@no-stage1@unseen", "demo@unseen")):
        params = load_params(folder / f"{name}.yaml")
        assert params.pretrain is None
        assert params.finetune.replaces_stage1_of == source


def test_every_row_and_setting_changes_only_what_it_says(folder):
    base = load_params(folder / "demo.yaml").model_dump(mode="json", by_alias=True)
    for name, change in (rows() | settings()).items():
        if change.weights is not None:
            continue
        changed = load_params(folder / f"demo@{name}.yaml").model_dump(mode="json", by_alias=True)
        sections = {key for key in base.keys() | changed.keys() if base.get(key) != changed.get(key)}
        assert sections <= {*change.params, "pretrain"}, name
        assert sections or name == "unit", name  # the base has this already


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("demo@lineer", "demo@lineer: no variant lineer; did you mean linear?"),
        ("demo@labels10@linear", "no variant linear"),
        ("demo@clip-i", "demo@clip-i: needs weights: demo trains from scratch"),
        ("demo@farl-i", "demo@farl-i: needs weights: demo has no ablation.farl"),
        ("plain@image-only", "plain@image-only: plain has no stage 1 to change"),
        ("plain@no-stage1", "plain@no-stage1: plain has no stage 1 to change"),
        ("dema@linear", "no run dema; did you mean demo?"),
        ("../demo@linear", "invalid run name '../demo'"),
    ],
)
def test_a_variant_that_cannot_be_is_one_line(folder, name, message):
    with pytest.raises(ParamsError, match=re.escape(message)):
        load_run(name, folder)


def test_farl_starts_from_its_own_weights_and_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "demo", **BASE, ablation={"farl": "weights/FaRL.pth"}, model={"pretrained": "openai"})
    with pytest.raises(ParamsError, match=r"needs weights: ablation\.farl: weights/FaRL\.pth: no such file"):
        load_params(tmp_path / "demo@farl-in.yaml")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "FaRL.pth").touch()
    params = load_params(tmp_path / "demo@farl-in.yaml")
    assert (params.model.name, params.model.pretrained) == ("ViT-B-16-quickgelu", "weights/FaRL.pth")
    assert (params.pretrain, params.finetune.names_descriptions) == (None, 0)
    assert load_params(tmp_path / "demo@clip-i.yaml").model.pretrained == "openai"


def test_names_of_variants_match_their_pattern_and_no_others():
    pattern = re.compile(name_pattern(["demo", "demo-linear", "bp4d+"]))
    for name in ("demo", "demo@linear", "demo-linear@labels10", "bp4d+@image-only@unseen"):
        assert pattern.fullmatch(name)
        assert str(Variant.parse(name)) == name
    for name in ("dem", "demo@", "demo@x", "demo@unseen@linear", "demo@linear@linear"):
        assert not pattern.fullmatch(name)
