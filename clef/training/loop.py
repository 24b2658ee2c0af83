"""The training loop of both stages. It knows a task only by its named losses, and resumes from the work folder."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clef.batches.randomness import torch_seed
from clef.errors import ClefError, Unfinished
from clef.model.device import autocast, describe_device
from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.runtime.progress import duration, notice, progress
from clef.training.checkpoint import Recovery
from clef.training.interruption import Interruption
from clef.training.metrics_file import MetricsFile
from clef.training.optimiser import build_optimiser, cosine_with_warmup
from clef.training.ranks.ranks import Ranks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Execution:
    """How this process runs a training. Nothing here changes the result."""

    ranks: Ranks = field(default_factory=Ranks)
    interruption: Interruption = field(default_factory=Interruption)


@dataclass(frozen=True)
class Plan:
    """The steps of one training, as pure functions of the step's number, counted from 0."""

    steps: int
    batch: Callable[[int], np.ndarray]
    """Frame indices of a step, (batch,)."""
    load: Callable[[range], Iterable[tuple[np.ndarray, Tensor]]]
    """For each of these steps, this rank's share of the batch: frame indices (share,) and uint8 images
    (share, 3, height, width)."""
    views: Callable[[Tensor, np.ndarray, int], list[Tensor]]
    """Augmented views of such images at a step, each (share, 3, size, size)."""
    targets: Callable[[np.ndarray], Tensor]
    """Targets of frame indices."""
    report: Callable[[np.ndarray], Mapping[str, float]] = lambda positions: {}
    """Additional metrics of a batch."""
    epoch_steps: int | None = None
    """Steps of an epoch, if `on_epoch` is to be called."""
    on_epoch: Callable[[int], None] = lambda epoch: None
    """Called after each epoch, counted from 1. After a resume it may be called again for the same epoch."""


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
    execution: Execution,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Train a task to the end of its plan, from the recovery checkpoint if there is one.

    A resumed training reaches the same weights as an undisturbed one: bit for bit on a CPU with the same number of
    threads, and on CUDA with deterministic algorithms; up to rounding with another number of ranks.

    `seed` is that of dropout. `metrics` gets one record per step. `check` is called before each record is written, and
    raises if this process may no longer write.

    Raises:
        ClefError: A loss or a gradient is not finite.
        Unfinished: The training was interrupted and its state is saved.
    """
    ranks = execution.ranks
    task.to(device).train()
    optimiser = build_optimiser(task, optimisation)
    schedule = cosine_with_warmup(optimiser, plan.steps, optimisation.warmup)
    start = 0
    if (state := recovery.load(device)) is not None:
        task.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        notice("resuming from step %d of %d", start, plan.steps)
    ranks.wait()
    if ranks.rank == 0:
        metrics.cut_back(start)
    wrapped = ranks.wrap(task, device)
    log.info("%d steps on %s", plan.steps, describe_device(device))
    saved = began = last = time.monotonic()

    with progress("step", start) as show, execution.interruption.listening():
        remaining = range(start, plan.steps)
        for step, (share, images) in zip(remaining, plan.load(remaining), strict=True):
            batch = share if ranks.world == 1 else plan.batch(step)
            # Dropout depends on the step and the rank only.
            torch.manual_seed(torch_seed(seed * 1_000_003 + step + ranks.rank * 1_000_000_007))
            lr_factor = schedule(step)
            views = plan.views(images.to(device, non_blocking=True), share, step)
            with autocast(device):
                losses = wrapped(views, plan.targets(batch).to(device), step, ranks.gathering(len(batch)))
            total = torch.stack(list(losses.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                [p for group in optimiser.param_groups for p in group["params"]], optimisation.clip_gradient
            )
            scalars = {**losses, "loss": total, "gradient_norm": norm}
            stacked = torch.stack([scalar.detach().float() for scalar in scalars.values()])
            values = dict(zip(scalars, stacked.tolist(), strict=True))  # synchronises the GPU once
            _require_finite(step, values)
            optimiser.step()
            task.clamp()

            done, now = step + 1, time.monotonic()
            speed, last = len(batch) / max(now - last, 1e-9), now
            show(done, plan.steps, f"loss {values['loss']:.3f}, {speed:.0f} images/s")
            record = {f"train/{name}": value for name, value in values.items()} | {"train/lr_factor": lr_factor}
            record |= {**plan.report(batch), "speed/images_per_second": speed}
            if device.type == "cuda":
                record["speed/gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30  # the peak so far
            check()
            if ranks.rank == 0:
                metrics.append(done, record)
            if plan.epoch_steps is not None and done % plan.epoch_steps == 0:
                ranks.copy_buffers(task)
                plan.on_epoch(done // plan.epoch_steps)
                task.train()
            if done == plan.steps:
                notice(
                    "%d steps done in %s, loss %.3f, %.0f images/s", done, duration(now - began), values["loss"], speed
                )
                break
            reason = ranks.first(execution.interruption.reason(), device)
            due = checkpoint.every_steps is not None and done % checkpoint.every_steps == 0
            if ranks.rank == 0 and (reason or due or time.monotonic() - saved >= checkpoint.every_seconds):
                recovery.save(done, task.state_dict(), optimiser.state_dict())
                saved = time.monotonic()
            if reason:
                ranks.wait()
                raise Unfinished(f"{reason}; saved step {done} of {plan.steps}, run the same command to resume")
    task.eval()


def _require_finite(step: int, values: Mapping[str, float]) -> None:
    """Stop before the optimiser's step: clipping turns an infinite gradient into NaN weights."""
    *losses, (_, loss), (_, norm) = values.items()
    if not math.isfinite(loss):
        parts = ", ".join(f"{name} {value:g}" for name, value in losses)
        raise ClefError(f"step {step}: loss is not finite ({parts}); lower the learning rate")
    if not math.isfinite(norm):
        raise ClefError(f"step {step}: gradient is not finite (norm {norm:g}, loss {loss:g}); lower the learning rate")


def work_folder(target: Path) -> Path:
    """Return the folder for the recovery state of a training: beside its output, and not a declared output."""
    return target.with_suffix(".work")
