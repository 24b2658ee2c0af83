"""What a stage would train, without training; and images to see what its augmentation does."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from clef.batches.augmentation import centre
from clef.model.tasks import Encoders, Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.training.loop import Plan

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 40, 40), dtype=np.uint8))
POSITIONS = np.arange(6)
UNCHANGED = {"rotation": 0, "scale": [1, 1], "shift": 0, "flip": 0, "grey": 0, "blur": 0}
UNCHANGED |= {"brightness": 0, "contrast": 0, "saturation": 0}
"""An augmentation that changes nothing."""


@dataclass(frozen=True)
class Planned:
    """The arguments of `run_stage`."""

    task: Task
    plan: Plan
    optimiser: OptimiserParams
    checkpoint: CheckpointParams
    key: str
    seed: int


class _Reached(Exception):  # noqa: N818
    """Raised instead of training."""


def planned(stage: Callable[..., None], *args, **named) -> Planned:
    """Call `pretrain` or `finetune` up to its training, on a CPU."""

    def reached(task, plan, optimiser, checkpoint, *, key, seed, **_):
        raise _Reached(Planned(task, plan, optimiser, checkpoint, key, seed))

    module = sys.modules[stage.__module__]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "run_stage", reached)
        patched.setattr(module, "prepare_device", lambda params: torch.device("cpu"))
        with pytest.raises(_Reached) as caught:
            stage(*args, **named)
    return caught.value.args[0]


def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean difference between two views of each image, (batch,)."""
    return (one - other).abs().mean(dim=(1, 2, 3))


def as_evaluated(encoders: Encoders) -> torch.Tensor:
    """`IMAGES` without augmentation, normalised."""
    mean, std = (torch.tensor(encoders.normalisation[name])[:, None, None] for name in ("mean", "std"))
    return (centre(IMAGES, encoders.image_size) - mean) / std
