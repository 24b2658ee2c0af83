import pytest

from clef.params.schema import Params

BASE = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "device": "cpu"}
EXPRESSIONS = {"labels": {"kind": "expressions", "expressions": ["happiness", "sadness"]}}


def test_the_crop_digest_and_tracked_sections_omit_keys_that_change_no_result():
    params = Params.model_validate(BASE)
    digests = [Params.model_validate(BASE | {"crop": crop}).crop_digest for crop in ({"size": 99}, {"batch": 99})]
    assert [digest == params.crop_digest for digest in digests] == [False, True]
    assert "workers" not in params.tracked("pretrain")
    assert "temperature" in params.tracked("pretrain")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tune": {}, "folds": {"protocol": "official", "number": 1}}, "tune needs action units and folds by subject"),
        ({"tune": {}} | EXPRESSIONS, "tune needs action units and folds by subject"),
        ({"finetune": {"balance": "classes"}}, "classes needs labels of kind expressions"),
    ],
)
def test_some_settings_need_others(changes, message):
    Params.model_validate(BASE | {"tune": {}})
    Params.model_validate(BASE | {"finetune": {"balance": "classes"}} | EXPRESSIONS)
    with pytest.raises(ValueError, match=message):
        Params.model_validate(BASE | changes)
