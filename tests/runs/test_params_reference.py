import re
from pathlib import Path

import pytest
import yaml

from clef.errors import ClefError
from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS, EvaluateParams, Params
from clef.runs.params_reference import as_markdown, explain, stale_as_markdown, what_goes_stale

PAGE = Path(__file__).parents[2] / "docs" / "params.md"


def keys(prefix: str = "") -> dict[str, str]:
    return {key.name: key.default for group in explain(prefix) for key in group.keys}


def flat(values: dict, prefix: str = "") -> dict[str, object]:
    found = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_every_key_is_explained():
    for group in explain():
        assert group.meaning, group.name
        for key in group.keys:
            assert key.meaning, key.name
            assert key.allowed, key.name


def test_keys_and_defaults_are_those_of_a_run_that_says_nothing():
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "tune": {}})
    unsaid = {"dataset.options": {}, "labels.votes": None, "folds.test_subjects": None, "folds.partition": None}
    resolved = flat(params.model_dump(mode="json", by_alias=True)) | unsaid
    explained = {name: default for name, default in keys().items() if not name.startswith("dataset.options.")}
    assert explained.pop("test.run") == "required"
    assert explained.keys() == resolved.keys()
    for name in explained.keys() - {"dataset.adapter", "dataset.name"}:
        assert yaml.safe_load(explained[name]) == resolved[name], name


def test_the_options_of_every_adapter_are_explained():
    groups = {group.name: group for group in explain("dataset.options")}
    assert {"dataset.options of disfa", "dataset.options of rafdb"} <= groups.keys()
    (camera,) = [key for key in groups["dataset.options of disfa"].keys if key.name == "dataset.options.camera"]
    assert (camera.allowed, camera.default) == ("left or right", "left")
    # One that the adapter inherits.
    assert "dataset.options.blocks" in {key.name for key in groups["dataset.options of rafdb"].keys}
    assert "dataset.options of demo" not in groups


def test_the_same_section_has_the_defaults_of_its_place():
    assert keys("pretrain.augment.rotation") == {"pretrain.augment.rotation": "20.0"}
    assert keys("finetune.augment.rotation") == {"finetune.augment.rotation": "10.0"}


def test_a_prefix_ends_at_a_dot():
    assert set(keys("labels")) == {name for name in keys() if name.startswith("labels.")}
    with pytest.raises(ClefError, match=r"no key crop\.s;"):
        explain("crop.s")


def test_what_a_change_makes_again_is_said_of_every_section_once():
    named = [name for names, _ in what_goes_stale() for name in names]
    assert len(set(named)) == len(named)
    assert {name.split(".")[0] for name in named} == set(Params.model_fields)
    assert {name for name in named if "." in name and name.startswith("evaluate.")} == {
        f"evaluate.{name}" for name in EvaluateParams.model_fields
    }


def test_what_is_said_to_change_nothing_is_in_no_key():
    (nothing,) = (names for names, what in what_goes_stale() if what.startswith("nothing"))
    params = Params.model_validate({"dataset": {"adapter": "demo"}})
    for name in {*PRETRAIN_SECTIONS, *FINETUNE_SECTIONS, "crop"}:
        kept = set(flat({name: params.tracked(name)}))
        assert not {key for key in kept for other in nothing if f"{key}.".startswith(f"{other}.")}


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("finetun", "did you mean finetune?"),
        ("lr_image", "did you mean pretrain.optimiser.lr_image or finetune.optimiser.lr_image?"),
        ("crop.maring", "did you mean crop.margin?"),
        ("xyz", "expected one of dataset, seeds"),
    ],
)
def test_of_an_unknown_key_the_one_that_may_be_meant_is_named(wrong, hint):
    with pytest.raises(ClefError, match=re.escape(f"no key {wrong}; {hint}")):
        explain(wrong)


def test_the_page_is_what_the_schema_says():
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index("## What a change") :] == stale_as_markdown() + as_markdown(explain()), (
        "write docs/params.md again: its head, then `clef explain --markdown`"
    )
