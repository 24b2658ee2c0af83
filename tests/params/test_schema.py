import pytest

from clef.errors import ClefError
from clef.params.schema import ModelParams, Params, digest
from clef.runs.load import load_params

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
        ({"model": {"normalisation": "clip"}}, "normalisation needs pretrained; leave it out"),
    ],
)
def test_some_settings_need_others(changes, message):
    Params.model_validate(BASE | {"tune": {}})
    Params.model_validate(BASE | {"finetune": {"balance": "classes"}} | EXPRESSIONS)
    with pytest.raises(ValueError, match=message):
        Params.model_validate(BASE | changes)


HALF = [0.5, 0.5, 0.5]


def test_the_normalisation_of_weights_changes_digests_only_where_it_is_given():
    plain = Params.model_validate(BASE | {"model": {"pretrained": "w.pt"}}).tracked("model")
    assert "normalisation" not in plain
    for given in ("imagenet", {"mean": HALF, "std": HALF}):
        model = {"pretrained": "w.pt", "normalisation": given}
        tracked = Params.model_validate(BASE | {"model": model}).tracked("model")
        assert tracked["normalisation"] == given
        assert digest(tracked) != digest(plain)
        assert ModelParams.model_validate(tracked).model_dump() == tracked


@pytest.mark.parametrize(
    "given",
    [
        "clipp",
        "no",
        "1",
        "{mean: [0.5, 0.5, 0.5]}",
        "{mean: 0.5, std: 0.5}",
        "{mean: [0.5, 0.5, 0.5], std: [1, 1, 0]}",
        "{mean: [124, 116, 104], std: [58, 57, 57]}",
        "{mean: [0, 0, 0], std: [1, 1, 1], size: 1}",
    ],
)
def test_an_invalid_normalisation_is_an_error_of_one_line(tmp_path, given):
    path = tmp_path / "run.yaml"
    path.write_text(f"dataset: {{adapter: demo}}\nrender: {{}}\nmodel: {{pretrained: w.pt, normalisation: {given}}}\n")
    with pytest.raises(ClefError, match=r"model(\.normalisation)?: .*(expected clip, .* 3 numbers|is false)") as caught:
        load_params(path)
    assert "\n" not in str(caught.value)
