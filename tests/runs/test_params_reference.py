import re

import pytest
import yaml

from clef.errors import ClefError
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, EvaluateParams, Params, Section
from clef.params.validation_errors import section_of
from clef.runs.params_reference import as_markdown, as_text, explain
from tests.runs.conftest import ROOT

PAGE = (ROOT / "docs" / "params.md").read_text(encoding="utf-8")
RERUN_TABLE = PAGE[PAGE.index("## What runs again") : PAGE.index("## The run")]


def flat(values: dict, prefix: str = "") -> dict[str, object]:
    found = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def left_out(section: type[Section], prefix: str = "") -> dict[str, object]:
    """Defaults of the keys that plain data leaves out."""
    found = {}
    for key, field in section.fields_by_key().items():
        if (inner := section_of(field)) is not None:
            found |= left_out(inner, f"{prefix}{key}.")
            if field.exclude_if is not None and isinstance(field.default, Section):
                found |= flat({key: field.default.model_dump(mode="json")}, prefix)
        elif field.exclude_if is not None:
            found[f"{prefix}{key}"] = field.default
    return found


def test_keys_and_defaults_are_those_of_a_run_that_sets_nothing():
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "tune": {}})
    resolved = flat(params.model_dump(mode="json", by_alias=True)) | left_out(Params) | {"dataset.options": {}}
    rows = [row for rows in explain().values() for row in rows]
    explained = {name: default for name, _, default, _ in rows if not name.startswith("dataset.options.")}
    assert all(map(all, rows))
    assert explained.pop("test.run") == explained.pop("ablation.farl") == "required"
    assert explained.keys() == resolved.keys()
    for name in explained.keys() - {"dataset.adapter", "dataset.name"}:
        assert yaml.safe_load(explained[name]) == resolved[name], name


def test_options_of_adapters_are_explained_with_inherited_ones():
    groups = {name: {row[0]: row[1:3] for row in rows} for (name, _), rows in explain("dataset.options").items()}
    assert groups["dataset.options of disfa"]["dataset.options.camera"] == ("left or right", "left")
    assert "dataset.options.blocks" in groups["dataset.options of rafdb"]
    assert "dataset.options of demo" not in groups


def test_a_section_has_the_defaults_of_its_place():
    for stage, default in (("pretrain", 20.0), ("finetune", 10.0)):
        key = f"{stage}.augment.rotation"
        assert f"  {key}: {default}    (number ≥ 0)\n" in as_text(explain(key))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("finetun", "did you mean finetune?"),
        ("lr_image", "did you mean pretrain.optimiser.lr_image or finetune.optimiser.lr_image?"),
        ("crop.maring", "did you mean crop.margin?"),
        ("xyz", "expected one of dataset, seeds"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(wrong, hint):
    with pytest.raises(ClefError, match=re.escape(f"no key {wrong}; {hint}")):
        explain(wrong)


def test_the_page_is_current():
    assert PAGE.endswith(as_markdown(explain())), "write docs/params.md again: its head, then `clef explain --markdown`"


def test_the_page_says_what_runs_again_after_a_change_of_every_section():
    rows = [line.split(" | ") for line in RERUN_TABLE.splitlines() if line.startswith("| `")]
    keys = {row[1]: re.findall(r"`([\w.]+)`", row[0]) for row in rows}
    listed = [key for found in keys.values() for key in found]
    assert len(set(listed)) == len(listed)
    assert {key.split(".")[0] for key in listed} == set(Params.model_fields)
    scoring = {key for key in listed if key.startswith("evaluate.")}
    assert scoring == {f"evaluate.{name}" for name in EvaluateParams.model_fields}
    params = Params.model_validate({"dataset": {"adapter": "demo"}})
    compared = flat({name: params.tracked(name) for name in {*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS, "crop"}})
    for key in keys["nothing: these keys change at most the last bits of a result |"]:
        assert not any(f"{name}.".startswith(f"{key}.") for name in compared), key
