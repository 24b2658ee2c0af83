"""AdamW with learning rates by tower and depth, and a cosine schedule with linear warm-up."""

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
    """Create AdamW for the trainable parameters of a task.

    A block of the image tower has the rate `lr_image * layer_decay ** (blocks above it)`, and the stem counts as one
    block below the first. The text tower has `lr_text`, everything outside the encoders `lr_head`. Only parameters with
    two or more dimensions are decayed.
    """
    parameters = {name: p for name, p in task.named_parameters() if p.requires_grad}
    blocks = sorted({int(match[1]) for name in parameters if (match := BLOCK.search(name))})
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        decay = settings.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((_learning_rate(name, blocks, settings), decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": lr, "peak": lr, "weight_decay": decay} for (lr, decay), p in groups.items()],
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )


def _learning_rate(name: str, blocks: list[int], settings: OptimiserParams) -> float:
    if ".clip." not in f".{name}":
        return settings.lr_head
    if ".clip.visual." not in f".{name}":
        return settings.lr_text
    if match := BLOCK.search(name):
        depth = len(blocks) - 1 - blocks.index(int(match[1]))
    else:
        depth = len(blocks) if STEM.search(name) else 0
    return settings.lr_image * settings.layer_decay**depth


def cosine_with_warmup(optimiser: torch.optim.Optimizer, steps: int, warmup: float) -> Callable[[int], float]:
    """Return a function that sets the learning rates of a step, counted from 0, and returns their common factor.

    Args:
        optimiser: Each parameter group has its highest rate as `peak`.
        steps: Number of steps.
        warmup: Share of the steps over which the rates rise linearly.
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
