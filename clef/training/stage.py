"""What both stages have in common: views, the lease, the work folder, tracking and saving."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clef.batches.augmentation import augment, draw, normalise
from clef.model.tasks import Encoders, Task
from clef.params.schema import AugmentParams, CheckpointParams, OptimiserParams
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
    """Train under the lease of the target, then save. Of several ranks, only the first tracks and saves.

    `key` is the hash of everything the result depends on, `tracked` tracks the training while its block runs, and
    `save` writes all outputs, the weights at `target` last. `train` describes the other arguments.
    """
    work, ranks = work_folder(target), execution.ranks
    run = partial(
        train,
        task,
        plan,
        optimisation,
        checkpoint,
        device=device,
        seed=seed,
        metrics=MetricsFile(target.with_suffix(".metrics.jsonl")),
        execution=execution,
    )
    if not ranks.first:
        ranks.wait()  # until the first rank has prepared the work folder
        run(recovery=Recovery(work, key, owner=False))
        return
    with leased(target) as lease:
        recovery = Recovery(work, key)
        with tracked:
            ranks.wait()
            run(recovery=recovery, check=lease.require)
            lease.require()
            save()
            lease.require()
            shutil.rmtree(work)


def augmented_views(
    encoders: Encoders, settings: AugmentParams, seed: int, streams: Sequence[str]
) -> Callable[[Tensor, np.ndarray, int], list[Tensor]]:
    """Return a function that makes one augmented and normalised view per random stream, for `Plan.views`."""

    def views(images: Tensor, positions: np.ndarray, step: int) -> list[Tensor]:
        draws = [draw(settings, seed, stream, step, positions) for stream in streams]
        views = [augment(images, changes, encoders.image_size) for changes in draws]
        return [normalise(view, encoders.mean, encoders.std) for view in views]

    return views
