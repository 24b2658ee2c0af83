"""How the image tower of a training runs: in parts, with fewer activations in memory, or compiled."""

import shutil
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from clef.model.device import autocast
from clef.model.tasks import Task
from clef.params.schema import TowerParams
from clef.runtime.progress import notice
from clef.training.ranks.ranks import Ranks

WORTH_COMPILING = 1000
"""Steps in which a compiled tower makes up for the minute that compiling takes."""
SPARE = 0.1
"""Share of the memory that stays free for fragments and for what is not measured."""


def prepare_tower(
    task: Task, settings: TowerParams, images: Callable[[], Tensor], steps: int, device: torch.device, ranks: Ranks
) -> None:
    """Set up the tower of a task.

    Args:
        task: The task, on its device.
        settings: What to switch on, or to find out.
        images: Returns normalised images as in a step, (batch, 3, size, size).
        steps: Steps of the training.
        device: The device.
        ranks: All processes of the training do the same.

    Raises:
        ClefError: The tower cannot take a batch in parts.
    """
    if settings.images_at_once is not None:
        task.encoders.limit_images_at_once(settings.images_at_once)
    checkpointing, compiled = settings.gradient_checkpointing, settings.compile
    if checkpointing == "auto":
        too_large = None if device.type != "cuda" or _fits(task, images(), device) else "too large"
        if checkpointing := ranks.first(too_large) is not None:
            notice("a step does not fit into memory, so gradient checkpointing is on; tower.images_at_once also helps")
    if checkpointing:
        task.encoders.checkpoint_gradients()
    if compiled == "auto":
        worthwhile = device.type == "cuda" and steps >= WORTH_COMPILING
        compiled = worthwhile and not torch.are_deterministic_algorithms_enabled() and can_compile()
        if compiled:
            notice("compiling the image tower, which takes about a minute; tower.compile: false switches it off")
    if compiled:
        task.encoders.compile_images()


def can_compile() -> bool:
    """Whether torch.compile finds what it needs for a GPU: Triton, a C compiler, and Python's headers."""
    headers = Path(sysconfig.get_paths()["include"], "Python.h").exists()
    return find_spec("triton") is not None and headers and any(map(shutil.which, ("cc", "gcc", "clang")))


def _fits(task: Task, images: Tensor, device: torch.device) -> bool:
    """Whether a step without gradient checkpointing fits into the GPU's memory, from a trial of the image tower."""
    if not any(p.requires_grad for p in task.encoders.clip.visual.parameters()):
        return True  # a frozen tower keeps no activations
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    task.eval()  # so that no batch norm counts the trial
    try:
        with autocast(device):
            features = task.encoders.image_features(images)
        features.float().square().sum().backward()
        needed = torch.cuda.max_memory_allocated(device) - before
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        task.zero_grad(set_to_none=True)
        task.train()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    moments = sum(2 * p.numel() * p.element_size() for p in task.parameters() if p.requires_grad)  # of AdamW
    return needed + moments <= (1 - SPARE) * free
