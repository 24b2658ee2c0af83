"""What both stages do around the loop: who may write, where a training goes on, and how it ends."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import torch

from clef.model.tasks import Task
from clef.params.schema import CheckpointParams, OptimiserParams
from clef.runtime.lease import leased
from clef.training.checkpoint import Recovery
from clef.training.job import Job
from clef.training.loop import Plan, train, work_folder
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
    job: Job,
    tracked: AbstractContextManager[None],
    save: Callable[[], None],
) -> None:
    """Train under the lease of the target, and save.

    Args:
        task: What is trained.
        plan: What it does at each step.
        optimisation: Of the optimiser and its schedule.
        checkpoint: When to save what a killed training goes on from.
        target: The weights that `save` writes; the work folder and the metrics lie beside it.
        key: Hash of all that the training depends on.
        seed: Of what a step draws.
        device: Where to compute.
        job: The circumstances. Of several ranks the first alone holds the lease, tracks and saves.
        tracked: Wraps the training for the tracker.
        save: Writes all outputs, the weights last.

    Raises:
        ClefError: Another process is at work on the target, or the training failed.
        Unfinished: It was interrupted; the same call goes on.
    """
    work = work_folder(target)
    with ExitStack() as held:
        lease = held.enter_context(leased(target)) if job.ranks.first else None
        if lease is not None:
            recovery = Recovery(work, key)
            held.enter_context(tracked)
            job.ranks.wait()
        else:
            job.ranks.wait()  # until the first has made sure that the work folder is of this key
            recovery = Recovery(work, key, owner=False)
        train(
            task,
            plan,
            optimisation,
            checkpoint,
            device=device,
            seed=seed,
            recovery=recovery,
            metrics=MetricsFile(target.with_suffix(".metrics.jsonl")),
            job=job,
            check=(lambda: None) if lease is None else lease.check,
        )
        if lease is not None:
            lease.require()
            save()
            lease.require()
            shutil.rmtree(work)
