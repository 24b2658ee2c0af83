"""AdamW with a group for every tower and depth, under a cosine with linear warm-up."""

import math
import re
from collections.abc import Callable

import torch
from torch import nn

from clef.params.schema import OptimiserParams

BLOCK = re.compile(r"clip\.visual\.(?:trunk\.)?(?:transformer\.resblocks|blocks|stages|layer)\.?(\d+)\.")
STEM = re.compile(
    r"clip\.visual\.(?:trunk\.)?"
    r"(?:conv_stem|conv\d|bn\d|patch_embed|stem|class_embedding|positional_embedding|pos_embed|cls_token|ln_pre)"
)


def build_optimiser(task: nn.Module, settings: OptimiserParams) -> torch.optim.AdamW:
    """AdamW over the trainable parameters of a task.

    The image tower's blocks get `lr_image * layer_decay ** (blocks above)`, its stem one factor more; the text tower
    `lr_text`; everything outside the encoders `lr_head`. Biases, norms and scales are not decayed.
    """
    parameters = {name: p for name, p in task.named_parameters() if p.requires_grad}
    blocks = sorted({int(found[1]) for name in parameters if (found := BLOCK.search(name))})
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        rate = _rate(name, blocks, settings)
        decay = settings.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": lr, "peak": lr, "weight_decay": decay} for (lr, decay), p in groups.items()],
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )


def _rate(name: str, blocks: list[int], settings: OptimiserParams) -> float:
    if ".clip.visual." in f".{name}":
        if found := BLOCK.search(name):
            depth_below_top = len(blocks) - 1 - blocks.index(int(found[1]))
        else:
            depth_below_top = len(blocks) if STEM.search(name) else 0
        return settings.lr_image * settings.layer_decay**depth_below_top
    return settings.lr_text if ".clip." in f".{name}" else settings.lr_head


def cosine_with_warmup(optimiser: torch.optim.Optimizer, steps: int, warmup: float) -> Callable[[int], float]:
    """A function that sets the learning rates of a step, counted from 0, and returns the factor it set.

    Args:
        optimiser: Its groups carry their `peak` rate.
        steps: Steps in all.
        warmup: Share of them that rise linearly.
    """
    rising = max(1, round(warmup * steps))

    def schedule(step: int) -> float:
        if step < rising:
            factor = (step + 1) / rising
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        return factor

    return schedule
