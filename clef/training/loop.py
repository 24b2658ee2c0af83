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

from clef.errors import ClefError, Unfinished
from clef.model.device import autocast, describe_device
from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.runtime.progress import Step, duration, notice, progress
from clef.training.checkpoint import Recovery
from clef.training.job import Job
from clef.training.metrics_file import MetricsFile
from clef.training.optimiser import build_optimiser, cosine_with_warmup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What one training does, step by step, as pure functions of the step."""

    steps: int
    batch: Callable[[int], np.ndarray]
    """Positions of the frames of a step, (batch,)."""
    load: Callable[[range], Iterable[tuple[np.ndarray, Tensor]]]
    """Positions (share,) and uint8 images (share, 3, height, width) of the given steps: of this rank's share of each
    batch, which is all of it where there is one rank."""
    views: Callable[[Tensor, np.ndarray, int], list[Tensor]]
    """Augmented views of such images at a step, each (share, 3, size, size)."""
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
    job: Job,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Train a task to the end of its plan, going on from the recovery checkpoint where there is one.

    `check` is called after each step, and raises where nothing may be written any more.

    A resumed training reaches the weights of an undisturbed one: bit for bit on a CPU at equal threads, and on CUDA
    with deterministic algorithms; with another number of ranks, up to rounding.

    Raises:
        ClefError: A loss, or the gradient, is not finite.
        Unfinished: The job was interrupted; the same call goes on.
    """
    ranks = job.ranks
    task.to(device).train()
    optimiser = build_optimiser(task, optimisation)
    schedule = cosine_with_warmup(optimiser, plan.steps, optimisation.warmup)
    start = 0
    if (state := recovery.load(device)) is not None:
        task.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        notice("going on from step %d of %d", start, plan.steps)
    ranks.wait()
    if ranks.first:
        metrics.cut_back(start)
    wrapped = ranks.wrap(task)
    log.info("%d steps on %s", plan.steps, describe_device(device))
    saved = time.monotonic()

    with progress("step", start) as tell, job.interruption.listening():
        clock = _Clock(plan.steps, tell)
        to_do = range(start, plan.steps)
        for step, (share, images) in zip(to_do, plan.load(to_do), strict=True):
            positions = share if ranks.world == 1 else plan.batch(step)
            # Dropout, if the model has any, is a function of the step, and no two ranks drop the same.
            torch.manual_seed(seed * 1_000_003 + step + ranks.rank * 1_000_000_007)
            factor = schedule(step)
            views = plan.views(images.to(device, non_blocking=True), share, step)
            with autocast(device):
                losses = wrapped(views, plan.targets(positions).to(device), step, ranks.gathering(len(positions)))
            total = torch.stack(list(losses.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                [p for group in optimiser.param_groups for p in group["params"]], optimisation.clip_gradient
            )
            numbers = _numbers({**losses, "loss": total, "gradient_norm": norm})
            _require_finite(step, numbers)
            optimiser.step()
            task.clamp()

            done = step + 1
            record = {f"train/{name}": value for name, value in numbers.items()} | {"train/lr_factor": factor}
            record |= dict(plan.report(positions)) | clock.tick(done, len(positions), numbers["loss"])
            check()
            if ranks.first:
                metrics.append(done, record)
            if plan.epoch_steps is not None and done % plan.epoch_steps == 0:
                plan.on_epoch(done // plan.epoch_steps)
                task.train()
            by_step = checkpoint.every_steps is not None and done % checkpoint.every_steps == 0
            if done == plan.steps:
                break
            reason = job.interruption.reason()
            stops = ranks.any(reason is not None, device)
            if ranks.first and (stops or by_step or time.monotonic() - saved >= checkpoint.every_seconds):
                recovery.save(done, task.state_dict(), optimiser.state_dict())
                saved = time.monotonic()
            if stops:
                ranks.wait()
                why = reason or "another of its processes has to end"
                raise Unfinished(f"{why}; step {done} of {plan.steps} is saved, and the same command goes on from it")
    task.eval()


def _numbers(named: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars as plain numbers, for which a GPU is waited for once."""
    values = torch.stack([value.detach().float() for value in named.values()]).tolist()
    return dict(zip(named, values, strict=True))


def _require_finite(step: int, numbers: Mapping[str, float]) -> None:
    """Refuse a step that would spoil the weights: an infinite gradient that is clipped becomes one that is no number.

    Raises:
        ClefError: With the values.
    """
    if not math.isfinite(numbers["loss"]):
        values = ", ".join(
            f"{name} {value:g}" for name, value in numbers.items() if name not in ("loss", "gradient_norm")
        )
        raise ClefError(f"step {step}: loss is not finite ({values}); lower the learning rate")
    if not math.isfinite(norm := numbers["gradient_norm"]):
        raise ClefError(
            f"step {step}: gradient is not finite (norm {norm:g}, loss {numbers['loss']:g}); lower the learning rate"
        )


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
        told = {"speed/images_per_second": rate}
        if torch.cuda.is_initialized():
            told["speed/gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30  # the most so far
        return told


def work_folder(target: Path) -> Path:
    """Where a training keeps what it needs to go on: an undeclared folder beside its output."""
    return target.with_suffix(".work")
