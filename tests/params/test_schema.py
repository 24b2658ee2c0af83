import pytest

from clef.params.schema import Params

BASE = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "device": "cpu"}


def test_the_crop_digest_depends_only_on_settings_that_change_a_crop():
    params = Params.model_validate(BASE)
    crop = params.crop

    def digest(**changes) -> str:
        return params.model_copy(update={"crop": crop.model_copy(update=changes)}).crop_digest

    assert digest(size=crop.size + 1) != params.crop_digest
    assert digest(batch=crop.batch + 1) == params.crop_digest


def test_tracked_omits_keys_that_change_no_result():
    tracked = Params.model_validate(BASE).tracked("pretrain")
    assert "workers" not in tracked
    assert "temperature" in tracked


@pytest.mark.parametrize(
    "changes",
    [
        {"folds": {"protocol": "official", "number": 1}},
        {"labels": {"kind": "expressions", "expressions": ["happiness", "sadness"]}},
    ],
)
def test_tune_needs_action_units_and_folds_by_subject(changes):
    assert Params.model_validate(BASE | {"tune": {}}).tune.held_out == 0.25
    with pytest.raises(ValueError, match="tune needs action units and folds by subject"):
        Params.model_validate(BASE | {"tune": {}} | changes)


def test_balanced_classes_need_expressions():
    balanced = {"finetune": {"balance": "classes"}}
    expressions = {"labels": {"kind": "expressions", "expressions": ["happiness", "sadness"]}}
    assert Params.model_validate(BASE | balanced | expressions).finetune.balance == "classes"
    with pytest.raises(ValueError, match="classes needs labels of kind expressions"):
        Params.model_validate(BASE | balanced)
