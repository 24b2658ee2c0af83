import open_clip
import pytest
import torch
from torch import nn

import clef.model.tasks  # noqa: F401  registers the project's own models
from clef.params.schema import OptimiserParams
from clef.training.optimiser import build_optimiser, cosine_with_warmup

SETTINGS = OptimiserParams(lr_image=1.0, lr_text=0.1, lr_head=5.0, layer_decay=0.5, weight_decay=0.3)


def task(visual: nn.Module | None = None) -> nn.ModuleDict:
    """A task with this image tower, or with one like open_clip's vision transformer, with two blocks."""
    blocks = nn.ModuleDict({"resblocks": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
    visual = visual or nn.ModuleDict(
        {"conv1": nn.Conv2d(1, 1, 1), "transformer": blocks, "proj": nn.Linear(2, 2, bias=False)}
    )
    clip = nn.ModuleDict({"visual": visual, "token_embedding": nn.Embedding(3, 2)})
    return nn.ModuleDict({"encoders": nn.ModuleDict({"clip": clip}), "head": nn.Linear(2, 1)})


def rates(module: nn.Module) -> dict[str, tuple[float, float]]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups = build_optimiser(module, SETTINGS).param_groups
    return {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_rate_and_decay_of_every_part_that_is_not_frozen():
    assert rates(task()) == {
        "encoders.clip.visual.proj.weight": (1.0, 0.3),
        "encoders.clip.visual.transformer.resblocks.1.weight": (1.0, 0.3),
        "encoders.clip.visual.transformer.resblocks.1.bias": (1.0, 0.0),
        "encoders.clip.visual.transformer.resblocks.0.weight": (0.5, 0.3),
        "encoders.clip.visual.transformer.resblocks.0.bias": (0.5, 0.0),
        "encoders.clip.visual.conv1.weight": (0.25, 0.3),
        "encoders.clip.visual.conv1.bias": (0.25, 0.0),
        "encoders.clip.token_embedding.weight": (0.1, 0.3),
        "head.weight": (5.0, 0.3),
        "head.bias": (5.0, 0.0),
    }
    module = task()
    module["head"].requires_grad_(False)
    assert "head.bias" not in rates(module)


@pytest.mark.parametrize(
    ("name", "stem", "top"),
    [
        ("clef-tiny", ["trunk.conv_stem.weight", "trunk.bn1.weight"], ["trunk.conv_head.weight", "head.proj.weight"]),
        ("RN50", ["conv1.weight", "conv2.weight", "conv3.weight", "bn1.weight"], ["attnpool.c_proj.weight"]),
        ("ViT-S-32-alt", ["conv1.weight", "class_embedding", "positional_embedding", "ln_pre.bias"], ["ln_post.bias"]),
    ],
)
def test_stem_and_top_of_real_image_encoders_are_recognised(name, stem, top):
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        visual = open_clip.model._build_vision_tower(config["embed_dim"], config["vision_cfg"])
    prefix = "encoders.clip.visual."
    found = {key.removeprefix(prefix): rate for key, (rate, _) in rates(task(visual)).items() if prefix in key}
    deepest = min(found.values())
    assert {key: found[key] for key in stem} == dict.fromkeys(stem, deepest)
    assert {key: found[key] for key in top} == dict.fromkeys(top, 1.0)
    assert deepest == pytest.approx(0.5 ** (len(set(found.values())) - 1))


def test_cosine_rises_to_the_peak_and_ends_near_zero():
    optimiser = build_optimiser(task(), SETTINGS)
    schedule = cosine_with_warmup(optimiser, steps=100, warmup=0.1)
    factors = [schedule(step) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(factors) == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 <= factors[-1] < 0.001
    schedule(0)
    assert all(group["lr"] == pytest.approx(0.1 * group["peak"]) for group in optimiser.param_groups)
