import re
from pathlib import Path

import pytest

from clef.params.schema import ParamsError
from clef.runs.load import load_params
from clef.runs.related_runs import load_run
from clef.runs.variants import Variant, name_pattern, rows, settings, tables
from tests.runs.conftest import write

BASE = {"dataset": {"adapter": "demo"}, "render": {}, "finetune": {"image_norm": "unit"}}

# fmt: off
# Per row of the paper's ablation: head; weights of image_names, names_descriptions and image_descriptions; the run with
# its stage 1, or its published weights; F1 on BP4D; accuracy on RAF-DB.
ABLATION = {
    "PA PI I N D": ("text", (1, 1, 0), "demo", 65.9, 90.09),
    "PA PI I D": ("text", (0, 0, 1), "demo", 65.7, 89.73),
    "PI I N D": ("text", (1, 1, 0), "demo@image-only", 64.8, 89.44),
    "PA PI I N": ("text", (1, 0, 0), "demo", 64.9, 89.57),
    "PI I N": ("text", (1, 0, 0), "demo@image-only", 64.7, 88.57),
    "PA PI I": ("linear", None, "demo", 64.2, 89.34),
    "PI I": ("linear", None, "demo@image-only", 65.0, 89.67),
    "FaRL I N D": ("text", (1, 1, 0), "farl", 64.6, 88.78),
    "FaRL I N": ("text", (1, 0, 0), "farl", 64.1, 88.69),
    "FaRL I": ("linear", None, "farl", 63.7, 88.31),
    "CLIP I N D": ("text", (1, 1, 0), "clip", 64.4, 89.7),
    "CLIP I N": ("text", (1, 0, 0), "clip", 64.0, 88.72),
    "CLIP I": ("linear", None, "clip", 63.4, 87.88),
}
CHANGES = {
    "image-only": {"pretrain.image_text": 0},
    "no-stage1": {"pretrain": None, "finetune.replaces_stage1_of": "demo"},
    "no-stage1-short": {"pretrain": None},
    "subject-pairs": {"pretrain.positives": "subject", "pretrain.image_text": 0},
    "instance-pairs": {"pretrain.positives": "instance", "pretrain.image_text": 0},
    "random-batches": {"pretrain.batches": "random"},
    "permuted-activities": {"pretrain.permute_activities": True},
    "linear": {"pretrain.from": "demo", "finetune.head": "linear", "finetune.image_norm": None},
    "linear-raw": {"pretrain.from": "demo", "finetune.head": "linear", "finetune.image_norm": "none"},
    "vectors": {"pretrain.from": "demo", "finetune.head": "vectors"},
    "unit": {"pretrain.from": "demo"},
    "standardised": {"pretrain.from": "demo", "finetune.image_norm": "standardised"},
    "pair": {"pretrain.from": "demo", "finetune.matching": "pair"},
    "frozen-text": {"pretrain.from": "demo", "finetune.freeze_text": True},
    "rates": {"pretrain.from": "demo", "finetune.bias": "rates"},
    "positive-weight": {"pretrain.from": "demo", "finetune.positive_weight": "inverse"},
    "labels10": {"pretrain.from": "demo", "finetune.label_share": 0.1},
    "labels1": {"pretrain.from": "demo", "finetune.label_share": 0.01},
    "subjects10": {"pretrain.from": "demo", "finetune.label_share": 0.1, "finetune.label_share_of": "subjects"},
    "unseen": {"folds.activities": "unseen"},
}
TABLES = {
    "stage1": (["full", "no-stage1", "no-stage1-short"], ["subjects10"], {}),
    "core": (
        ["full", "image-only", "no-stage1", "linear"], ["subjects10", "unseen"], {},
    ),
    "controls": (
        ["full", "image-only", "no-stage1", "subject-pairs", "instance-pairs", "random-batches",
         "permuted-activities"],
        ["subjects10", "unseen"],
        {"subject-pairs": "image-only", "instance-pairs": "image-only", "permuted-activities": "no-stage1"},
    ),
    "heads": (
        ["full", "unit", "standardised", "vectors", "linear", "linear-raw", "pair", "frozen-text", "rates",
         "positive-weight"],
        [],
        {"vectors": "unit", "linear-raw": "linear"},
    ),
}
# fmt: on


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
        ("other@labels10", ["demo"], "demo"),
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


def test_the_rows_of_the_ablation_are_those_of_the_paper(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("farl.pth").touch()
    write(tmp_path, "demo", **BASE, ablation={"farl": "farl.pth"}, model={"pretrained": "openai"})
    found = {}
    for row in tables()["ablation"].rows:
        name = tables()["ablation"].variant("demo", row, None)
        params = load_run(name, tmp_path)[name]
        stage2, source = params.finetune, {"farl.pth": "farl", "openai": "clip"}[params.model.pretrained]
        if params.pretrain is not None:
            source = params.pretrain.from_ or name
        weights = (stage2.image_names, stage2.names_descriptions, stage2.image_descriptions)
        losses = weights if stage2.head == "text" else None
        found[row.parts] = (stage2.head, losses, source, row.published["bp4d"], row.published["rafdb"])
        assert stage2.norm == ("unit" if stage2.head == "text" else "standardised")
        assert row.published.keys() == {"bp4d", "rafdb"}
    assert found == ABLATION
    stage1 = load_params(tmp_path / "demo.yaml").pretrain
    assert (stage1.image_image, stage1.image_text) == (1, 1)


@pytest.mark.parametrize("name", CHANGES)
def test_every_control_and_setting_changes_what_it_says_and_nothing_else(folder, name):
    base, changed = (load_params(folder / f"{run}.yaml").model_dump(by_alias=True) for run in ("demo", f"demo@{name}"))
    assert different(base, changed) == CHANGES[name]


def test_every_row_and_setting_has_a_test():
    of_ablation = {row.row for row in tables()["ablation"].rows}
    assert rows().keys() | settings().keys() == (CHANGES.keys() | of_ablation) - {"full"}


def test_the_tables_have_these_rows_settings_and_further_comparisons():
    found = {
        name: ([row.row for row in table.rows], table.settings, {r.row: r.against for r in table.rows if r.against})
        for name, table in tables().items()
    }
    assert found.pop("ablation")[1:] == ([], {})
    assert found == TABLES
    for names, _, against in TABLES.values():
        assert all(names.index(other) < names.index(row) for row, other in against.items())


def different(base: dict, changed: dict, above: str = "") -> dict:
    """Changed values by key, such as `finetune.head`."""
    found = {}
    for key in base.keys() | changed.keys():
        old, new = base.get(key), changed.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= different(old, new, f"{above}{key}.")
        elif old != new:
            found[f"{above}{key}"] = new
    return found


def test_a_run_without_stage_1_has_the_variants_that_need_none(folder):
    for name, changes in CHANGES.items():
        if name == "no-stage1" or {key for key in changes if key.startswith("pretrain.")} - {"pretrain.from"}:
            with pytest.raises(ParamsError, match=f"plain@{name}: plain has no stage 1 to change"):
                load_params(folder / f"plain@{name}.yaml")
        else:
            base, changed = (load_params(folder / f"{run}.yaml").model_dump() for run in ("plain", f"plain@{name}"))
            expected = {key: value for key, value in changes.items() if not key.startswith("pretrain")}
            assert different(base, changed) == expected
    with pytest.raises(ParamsError, match="plain@pi-i: plain has no stage 1 to change"):
        load_params(folder / "plain@pi-i.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("demo@lineer", "demo@lineer: no variant lineer; did you mean linear?"),
        ("demo@labels10@linear", "demo@labels10@linear: expected at most one row, then at most one setting"),
        ("demo@linear@unit", "demo@linear@unit: expected at most one row, then at most one setting"),
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
