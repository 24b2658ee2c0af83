"""What the training of a stage would begin with, without the training."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.training.loop import Plan


@dataclass(frozen=True)
class Beginning:
    """What a stage hands over to be run."""

    task: Task
    plan: Plan
    optimiser: OptimiserParams
    checkpoint: CheckpointParams
    key: str
    seed: int


class _Reached(Exception):  # noqa: N818
    """Where the training would begin."""


def beginning(stage: Callable[..., None], *args, **named) -> Beginning:
    """Call `pretrain` or `finetune` up to its training. A device that is not there is taken for a CPU."""

    def reached(task, plan, optimiser, checkpoint, *, key, seed, **_):
        raise _Reached(Beginning(task, plan, optimiser, checkpoint, key, seed))

    module = sys.modules[stage.__module__]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "run_stage", reached)
        patched.setattr(module, "prepare_device", lambda params: torch.device("cpu"))
        with pytest.raises(_Reached) as caught:
            stage(*args, **named)
    return caught.value.args[0]
