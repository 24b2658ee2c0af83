"""What both stages do around the training loop: the lease, the work folder, tracking and saving."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.runtime.lease import leased
from clef.training.checkpoint import Recovery
from clef.training.loop import Execution, Plan, train, work_folder
from clef.training.metrics_file import MetricsFile


def run_stage(
    task: Task,
    plan: Plan,
    optimisation: OptimiserParams,
    checkpoint: CheckpointParams,
    *,
    target: Path,
    key: str,
    seed: int,
    device: torch.device,
    execution: Execution,
    tracked: AbstractContextManager[None],
    save: Callable[[], None],
) -> None:
    """Train under the lease of the target, then save.

    Of several ranks, only the first holds the lease, tracks and saves.

    Args:
        task: The model with its losses.
        plan: Batches, views and targets of each step.
        optimisation: Settings of the optimiser and its schedule.
        checkpoint: When to save the recovery checkpoint.
        target: The weights that `save` writes. Work folder and metrics are beside it.
        key: Hash of everything the result depends on.
        seed: Seed of dropout.
        device: Where to compute.
        execution: Rank and interruption of this process.
        tracked: Tracks the training while its block runs.
        save: Writes all outputs, the weights last.

    Raises:
        ClefError: Another process holds the lease, or the training failed.
        Unfinished: The training was interrupted and its state is saved.
    """
    work, ranks = work_folder(target), execution.ranks

    def run(recovery: Recovery, check: Callable[[], None]) -> None:
        train(
            task,
            plan,
            optimisation,
            checkpoint,
            device=device,
            seed=seed,
            recovery=recovery,
            metrics=MetricsFile(target.with_suffix(".metrics.jsonl")),
            execution=execution,
            check=check,
        )

    if not ranks.first:
        ranks.wait()  # until the first rank has prepared the work folder
        run(Recovery(work, key, owner=False), check=lambda: None)
        return
    with leased(target) as lease:
        recovery = Recovery(work, key)
        with tracked:
            ranks.wait()
            run(recovery, lease.require)
            lease.require()
            save()
            lease.require()
            shutil.rmtree(work)
