import logging
from pathlib import Path

import open_clip
import pytest
import torch
from torch.nn import functional as F

from clef.errors import ClefError
from clef.model.encoders import Encoders
from clef.params.schema import ModelParams
from tests.model.tiny import IMAGES, TINY, encoders

open_clip.add_model_config(Path(__file__).with_name("configs"))


def test_features_are_unit_vectors_in_a_common_space(caplog):
    model = encoders().eval()
    assert caplog.messages == []  # no warning about random weights
    assert not logging.getLogger().filters
    images, texts = model.images(IMAGES), model.texts(model.tokenize(["a face", "a hand"]))
    torch.testing.assert_close(images.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2))
    assert images.shape[1] == texts.shape[1] == model.dim
    with pytest.raises(ClefError, match="tokens; clef-tiny reads 40: shorten it"):
        model.tokenize(["a face " * 40])
    with pytest.raises(ClefError, match=r"old\.safetensors: .* no normalisation of images; train again"):
        model.normalise_as({}, Path("old.safetensors"))


def test_a_later_stage_normalises_like_the_first_and_not_like_its_pretrained_file(tmp_path):
    path = tmp_path / "w.pt"
    torch.save(encoders().clip.state_dict(), path)
    model = Encoders(TINY.model_copy(update={"pretrained": str(path), "normalisation": "imagenet"}))
    assert model.normalisation == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    model.normalise_as({"normalisation": {"mean": [0.5] * 3, "std": [0.25] * 3}}, path)
    assert model.normalisation == {"mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.mark.parametrize(
    ("name", "length"),
    [("clef-tiny", 7), ("test-vit", 7), ("test-padding", 16), ("test-timm-vit", 16)],
)
def test_texts_are_cut_where_padding_has_no_effect(name, length):
    model = encoders(ModelParams(name=name, image_size=32))
    texts = ["a face", "a face with raised brows"]
    tokens = model.tokenize(texts)
    assert tokens.shape == (2, length)
    padded = model.tokenizer(texts, context_length=model.clip.context_length)
    features, expected = model.texts(tokens), F.normalize(model.clip.encode_text(padded).float(), dim=-1)
    torch.testing.assert_close(features, expected)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad and ".visual." not in name}
    weights = torch.linspace(-1, 1, features.numel()).view_as(features)
    gradients, wanted = (torch.autograd.grad((weights * f).sum(), [*parameters.values()]) for f in (features, expected))
    for name, gradient, whole in zip(parameters, gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, whole, rtol=1e-4, atol=1e-4, msg=name)
