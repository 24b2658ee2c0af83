"""The one training loop. It knows a task by its named losses and resumes from the work folder by default."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clef.device import autocast, describe_device
from clef.errors import ClefError
from clef.model import Task
from clef.params import CheckpointParams, OptimiserParams
from clef.progress import Step, duration, notice, progress
from clef.training.checkpoint import Recovery
from clef.training.metrics_file import MetricsFile
from clef.training.optimiser import build_optimiser, cosine_with_warmup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What one training does, step by step, as pure functions of the step."""

    steps: int
    load: Callable[[range], Iterable[tuple[np.ndarray, Tensor]]]
    """Positions (batch,) and uint8 images (batch, 3, height, width) of the given steps."""
    views: Callable[[Tensor, np.ndarray, int], list[Tensor]]
    """Augmented views of the images of a step, each (batch, 3, size, size)."""
    targets: Callable[[np.ndarray], Tensor]
    """Targets of the frames at these positions."""
    report: Callable[[np.ndarray], Mapping[str, float]] = lambda positions: {}
    """More to log of a batch."""
    epoch_steps: int | None = None
    """Steps an epoch, where epochs have an end to act on."""
    on_epoch: Callable[[int], None] = lambda epoch: None
    """Called after each epoch, counted from 1. A resumed training may repeat the one it was killed in."""


def train(
    task: Task,
    plan: Plan,
    optimisation: OptimiserParams,
    checkpoint: CheckpointParams,
    *,
    device: torch.device,
    seed: int,
    recovery: Recovery,
    metrics: MetricsFile,
) -> None:
    """Train a task to the end of its plan, going on from the recovery checkpoint where there is one.

    A resumed training reaches the weights of an undisturbed one: bit for bit on a CPU at equal threads, and on CUDA
    with deterministic algorithms.

    Raises:
        ClefError: A loss is not finite.
    """
    task.to(device).train()
    optimiser = build_optimiser(task, optimisation)
    schedule = cosine_with_warmup(optimiser, plan.steps, optimisation.warmup)
    start = 0
    if (state := recovery.load(device)) is not None:
        task.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        notice("going on from step %d of %d", start, plan.steps)
    metrics.cut_back(start)
    log.info("%d steps on %s", plan.steps, describe_device(device))
    saved = time.monotonic()

    with progress("step", start) as tell:
        clock = _Clock(plan.steps, tell)
        to_do = range(start, plan.steps)
        for step, (positions, images) in zip(to_do, plan.load(to_do), strict=True):
            torch.manual_seed(seed * 1_000_003 + step)  # dropout, if the model has any, is a function of the step
            factor = schedule(step)
            views = plan.views(images.to(device, non_blocking=True), positions, step)
            with autocast(device):
                losses = task.losses(views, plan.targets(positions).to(device), step)
            total = torch.stack(list(losses.values())).sum()
            if not math.isfinite(total.item()):
                values = ", ".join(f"{name} {loss.item():g}" for name, loss in losses.items())
                raise ClefError(f"step {step}: loss is not finite ({values}); lower the learning rate")
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                [p for group in optimiser.param_groups for p in group["params"]], optimisation.clip_gradient
            )
            optimiser.step()
            task.clamp()

            done = step + 1
            record = {f"train/{name}": loss.item() for name, loss in losses.items()}
            record |= {"train/loss": total.item(), "train/lr_factor": factor, "train/gradient_norm": norm.item()}
            metrics.append(done, record | dict(plan.report(positions)) | clock.tick(done, len(positions), total.item()))
            if plan.epoch_steps is not None and done % plan.epoch_steps == 0:
                plan.on_epoch(done // plan.epoch_steps)
                task.train()
            by_step = checkpoint.every_steps is not None and done % checkpoint.every_steps == 0
            if done < plan.steps and (by_step or time.monotonic() - saved >= checkpoint.every_seconds):
                recovery.save(done, task.state_dict(), optimiser.state_dict())
                saved = time.monotonic()
    task.eval()


class _Clock:
    """Images a second, and what is told of each step."""

    def __init__(self, steps: int, tell: Step) -> None:
        self.steps, self.tell = steps, tell
        self.began = self.last = time.monotonic()

    def tick(self, done: int, images: int, loss: float) -> dict[str, float]:
        now = time.monotonic()
        rate = images / max(now - self.last, 1e-9)
        self.last = now
        self.tell(done, self.steps, f"loss {loss:.3f}, {rate:.0f} images/s")
        if done == self.steps:
            notice("%d steps done in %s, loss %.3f, %.0f images/s", done, duration(now - self.began), loss, rate)
        return {"speed/images_per_second": rate}


def work_folder(target: Path) -> Path:
    """Where a training keeps what it needs to go on: an undeclared folder beside its output."""
    return target.with_suffix(".work")
