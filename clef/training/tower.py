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
    """Set up the tower of a task. `auto` is decided by a trial of the tower on the GPU.

    Args:
        task: The task, on its device.
        settings: What to switch on, or to find out.
        images: Returns normalised images as in a step, (batch, 3, size, size).
        steps: Steps of the training.
        device: The device.
        ranks: All processes of the training do the same.

    Raises:
        ClefError: The tower cannot take a batch in parts, or compute its activations again.
    """
    encoders, on_gpu = task.encoders, device.type == "cuda"
    if settings.images_at_once is not None:
        encoders.limit_images_at_once(settings.images_at_once)
    if settings.gradient_checkpointing is True:
        encoders.checkpoint_gradients()
    worthwhile = on_gpu and steps >= WORTH_COMPILING and not torch.are_deterministic_algorithms_enabled()
    if settings.compile is True:
        encoders.compile_images()
    elif settings.compile == "auto" and worthwhile and can_compile():
        notice("compiling the image tower, which takes about a minute; tower.compile: false switches it off")
        encoders.compile_images()
        if ranks.first(_failure(task, images(), device)) is not None:
            notice("torch.compile failed on this machine, so the image tower runs as it is")
            encoders.compile_images(False)
    if settings.gradient_checkpointing == "auto" and on_gpu and encoders.can_checkpoint_gradients:
        too_large = None if _fits(task, images(), device, ranks) else "too large"
        if ranks.first(too_large) is not None:
            notice("a step does not fit into memory, so gradient checkpointing is on; tower.images_at_once also helps")
            encoders.checkpoint_gradients()


def can_compile() -> bool:
    """Whether torch.compile finds what it needs for a GPU: Triton, a C compiler, and Python's headers."""
    headers = Path(sysconfig.get_paths()["include"], "Python.h").exists()
    return find_spec("triton") is not None and headers and any(map(shutil.which, ("cc", "gcc", "clang")))


def _failure(task: Task, images: Tensor, device: torch.device) -> str | None:
    """Name the error of a pass through the compiled tower, unless memory ran out; None if there is none."""
    try:
        _try(task, images, device)
    except torch.cuda.OutOfMemoryError:
        return None
    except Exception as error:  # compilers fail in many ways
        return type(error).__name__
    finally:
        _clean_up(task, device)
    return None


def _fits(task: Task, images: Tensor, device: torch.device, ranks: Ranks) -> bool:
    """Whether a step without gradient checkpointing fits into the GPU's memory."""
    trained = [p for p in task.parameters() if p.requires_grad]
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        _try(task, images, device)
        needed = torch.cuda.max_memory_allocated(device) - before
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        _clean_up(task, device)
    # Gradients, two moments of AdamW, and with several processes another copy of the gradients to exchange.
    copies = 4 if ranks.world > 1 else 3
    kept = sum(copies * p.numel() * p.element_size() for p in trained)
    return needed + kept <= (1 - SPARE) * free


def _try(task: Task, images: Tensor, device: torch.device) -> None:
    """Pass images through the tower, and back unless it is frozen."""
    task.train(not task.encoders.has_batch_norm)  # as in a step, but no batch norm may count the trial
    with autocast(device):
        features = task.encoders.image_features(images)
    if features.requires_grad:
        features.float().square().sum().backward()


def _clean_up(task: Task, device: torch.device) -> None:
    task.zero_grad(set_to_none=True)
    task.train()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
