"""The training loop of both stages. It knows a task only by its named losses, and resumes from the work folder."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from clef.batches.randomness import torch_seed
from clef.batches.transfer import to_device
from clef.errors import Unfinished
from clef.model.device import autocast, describe_device
from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.runtime.progress import duration, notice, progress
from clef.training.checkpoint import Recovery
from clef.training.interruption import Interruption
from clef.training.metrics_file import MetricsFile
from clef.training.optimiser import build_optimiser, cosine_with_warmup
from clef.training.ranks.ranks import Ranks
from clef.training.step_report import StepReport

log = logging.getLogger(__name__)

Batch = TypeVar("Batch")


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
    load: Callable[[range], Iterable[tuple[np.ndarray, list[Tensor]]]]
    """For each of these steps, this rank's share of the batch: frame indices (share,) and augmented views, on the
    device, each (share, 3, size, size)."""
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

    A step is reported after the next one has been queued on the device, so that a GPU does not wait for this process.
    Weights are saved and predicted with only after their step was found to be finite.

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
    del state  # a second copy of the model and of the optimiser
    ranks.wait()
    if ranks.rank == 0:
        metrics.cut_back(start)
    wrapped = ranks.wrap(task, device)
    log.info("%d steps on %s", plan.steps, describe_device(device))
    saved = began = time.monotonic()
    waited, summary = 0.0, ""

    with progress("step", start) as show, execution.interruption.listening():

        def write(done: int, record: dict[str, float]) -> None:
            nonlocal summary
            summary = f"loss {record['train/loss']:.3f}, {record['speed/images_per_second']:.0f} images/s"
            show(done, plan.steps, summary)
            check()
            if ranks.rank == 0:
                metrics.append(done, record)

        report = StepReport(device, write)
        remaining = range(start, plan.steps)
        for step, (seconds, (share, views)) in zip(remaining, _timed(plan.load(remaining)), strict=True):
            batch = share if ranks.world == 1 else plan.batch(step)
            # Dropout depends on the step and the rank only.
            torch.manual_seed(torch_seed(seed * 1_000_003 + step + ranks.rank * 1_000_000_007))
            lr_factor = schedule(step)
            optimiser.zero_grad(set_to_none=True)
            with autocast(device):
                losses = wrapped(views, to_device(plan.targets(batch), device), step, ranks.gathering(len(batch)))
            total = torch.stack(list(losses.values())).sum()
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(
                [p for group in optimiser.param_groups for p in group["params"]], optimisation.clip_gradient
            )
            optimiser.step()
            task.clamp()
            figures = {"train/lr_factor": lr_factor, **plan.report(batch)}
            if device.type == "cuda":
                figures["speed/gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30  # the peak so far
            report.add(step, losses, total, norm, figures, len(batch), seconds)
            waited += seconds

            # Whatever uses the weights from here on must know that they are finite.
            done = step + 1
            if plan.epoch_steps is not None and done % plan.epoch_steps == 0:
                report.flush()
                ranks.copy_buffers(task)
                plan.on_epoch(done // plan.epoch_steps)
                task.train()
                report.restart()
            if done == plan.steps:
                break
            reason = ranks.first(execution.interruption.reason())
            due = checkpoint.every_steps is not None and done % checkpoint.every_steps == 0
            if reason or due or time.monotonic() - saved >= checkpoint.every_seconds:
                report.flush()
                if ranks.rank == 0:
                    recovery.save(done, task.state_dict(), optimiser.state_dict())
                saved = time.monotonic()
                report.restart()
            if reason:
                ranks.wait()
                raise Unfinished(f"{reason}; saved step {done} of {plan.steps}, run the same command to resume")
        report.flush()
    took = time.monotonic() - began
    idle = f"{waited / took:.0%} waiting for images"
    notice("%d steps done in %s (%s), %s", plan.steps, duration(took), idle, summary)
    task.eval()


def _timed(batches: Iterable[Batch]) -> Iterator[tuple[float, Batch]]:
    """Yield each batch with the seconds that it took to arrive."""
    remaining = iter(batches)
    while True:
        asked = time.monotonic()
        batch = next(remaining, None)
        if batch is None:
            return
        yield time.monotonic() - asked, batch


def work_folder(target: Path) -> Path:
    """Return the folder for the recovery state of a training: beside its output, and not a declared output."""
    return target.with_suffix(".work")
