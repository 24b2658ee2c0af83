"""What both stages have in common: views, the lease, the work folder, tracking and saving."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clef.batches.augmentation import draw, training_view
from clef.model.device import describe_device
from clef.model.encoders import Encoders
from clef.model.tasks import Task
from clef.params.schema import AugmentParams, FinetuneParams, Params, PretrainParams
from clef.runtime.files import check_guards
from clef.runtime.lease import leased
from clef.tracking.hooks import track_training
from clef.training.checkpoint import Recovery
from clef.training.loop import Execution, Plan, train, work_folder
from clef.training.metrics_file import MetricsFile
from clef.training.provenance import training_key
from clef.training.tower import prepare_tower


def run_stage(
    params: Params,
    settings: PretrainParams | FinetuneParams,
    task: Task,
    plan: Plan,
    sidecar: dict[str, Any],
    manifest: Path,
    target: Path,
    *,
    device: torch.device,
    execution: Execution,
    save: Callable[[], None],
) -> None:
    """Train under the lease of the target, then save. Only rank 0 tracks and saves.

    `settings` is the stage's section of the params. `sidecar` holds everything the result depends on. `save` writes all
    outputs, the weights at `target` last.
    """
    work, key, ranks = work_folder(target), training_key(sidecar), execution.ranks

    def images_of_a_step() -> Tensor:
        _, views = next(iter(plan.load(range(1))))
        return torch.cat(views)

    def run(recovery: Recovery, check: Callable[[], None] = lambda: None) -> None:
        task.to(device).train()
        prepare_tower(task, settings.tower, images_of_a_step, plan.steps, device, ranks)
        train(
            task,
            plan,
            settings.optimiser,
            settings.checkpoint,
            device=device,
            seed=sidecar["seed"],
            recovery=recovery,
            metrics=MetricsFile(target.with_suffix(".metrics.jsonl")),
            execution=execution,
            check=check,
        )

    if ranks.rank != 0:
        ranks.wait()  # until the first rank has prepared the work folder
        run(Recovery(work, key, owner=False))
        return
    with leased(target):
        recovery = Recovery(work, key)
        with track_training(params, target, manifest, key, sidecar, describe_device(device)):
            ranks.wait()
            run(recovery, check_guards)
            check_guards()
            save()
            check_guards()
            shutil.rmtree(work)


def augmented_views(
    encoders: Encoders, settings: AugmentParams, seed: int, streams: Sequence[str]
) -> Callable[[Tensor, np.ndarray, int], list[Tensor]]:
    """Return a function that makes one augmented and normalised view per random stream, for `load_steps`."""

    def views(images: Tensor, positions: np.ndarray, step: int) -> list[Tensor]:
        draws = [draw(settings, seed, stream, step, positions) for stream in streams]
        return [training_view(images, changes, encoders.image_size, encoders.mean, encoders.std) for changes in draws]

    return views
