"""Stage 1 of one seed and fold: contrastive training with the activity as the weak label."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clef.batches.crops import Crops, load_steps
from clef.batches.randomness import torch_seed
from clef.batches.sampling import CrossedBatches, EpochBatches, cross_subject_share, permute_activities
from clef.datasets import open_dataset
from clef.manifest.folds import Fold
from clef.manifest.table import manifest_fingerprint
from clef.model.device import prepare_device
from clef.model.encoders import Encoders
from clef.model.tasks import ActivityTask
from clef.model.texts import activity_texts
from clef.params.schema import PRETRAIN_SECTIONS, Params, PretrainParams
from clef.runtime.files import file_hash
from clef.training.checkpoint import save_weights
from clef.training.inputs import Inputs
from clef.training.loop import Execution, Plan
from clef.training.provenance import provenance
from clef.training.sidecar import require_crop_settings, require_same_crops
from clef.training.stage import augmented_views, run_stage
from clef.training.stage1_datasets import Pool, Source, pool

log = logging.getLogger(__name__)


def pretrain(
    params: Params,
    seed: int,
    fold: Fold,
    inputs: Inputs,
    target: Path,
    also: Sequence[Source] = (),
    execution: Execution | None = None,
) -> None:
    """Train stage 1 on the training subjects of a fold, and write the encoders with a sidecar.

    Args:
        params: The run.
        seed: Seed of weights, sampling and augmentation.
        fold: Its training subjects are trained on.
        inputs: Manifest and crops.
        target: The weights to write (safetensors, with a JSON sidecar).
        also: Other data sets to train on, in crops of the same settings.
        execution: Rank and interruption of this process; the defaults train alone and without a time budget.

    Raises:
        ClefError: The frames do not allow such batches, or the training failed.
        Unfinished: The training was interrupted and its state is saved.
    """
    execution = execution or Execution()
    settings = params.pretrain
    assert settings is not None, "the workflow has no stage 1 for such a run"
    device = prepare_device(params)
    dataset = open_dataset(params)
    own = Source(dataset.name, inputs, fold, dataset.activities)
    pooled = pool([own, *also], settings.stride, fold.unseen_descriptions)
    frames = pooled.frames
    texts = activity_texts(params.texts, {key: key for key in pooled.described})
    activities, batches, steps = _plan(settings, pooled, own, seed)
    subjects = frames["person"].to_numpy()  # (frame,)
    fingerprint = manifest_fingerprint(inputs.manifest)
    require_crop_settings(fingerprint, params.crop, inputs.manifest)
    for source in also:
        require_same_crops(source.inputs.manifest, inputs.manifest)

    torch.manual_seed(torch_seed(seed))
    encoders = Encoders(params.model)
    task = ActivityTask(encoders, [texts[key] for key in pooled.described], settings)
    _, person = np.unique(subjects, return_inverse=True)
    positives = {"activity": activities, "subject": person, "instance": np.arange(len(frames))}[settings.positives]
    targets = torch.from_numpy(np.stack([activities, positives], axis=1))  # (frame, 2)
    sidecar = {
        "stage": "pretrain",
        "steps": steps,
        "activity_texts": texts,
        "normalisation": encoders.normalisation,
        **provenance(params, PRETRAIN_SECTIONS, seed, fold, inputs, frames, fingerprint),
        "also": {source.dataset: file_hash(source.inputs.manifest) for source in also},
    }
    log.info(
        "stage 1, seed %d, fold %s: %d frames of %d subjects and %d activities, %d images per batch",
        seed,
        fold.number,
        len(frames),
        len(sidecar["trained_on"]),
        len(texts),
        batches.batch_size,
    )
    shares: list[float] = []

    def report(positions: np.ndarray) -> dict[str, float]:
        shares.append(cross_subject_share(subjects[positions], positives[positions]))
        return {"batch/cross_subject_positives": shares[-1]}

    def save() -> None:
        if shares:
            log.info("share of positive pairs with different subjects: %.3f", np.mean(shares))
        save_weights(target, encoders.state_dict(), sidecar)

    crops = Crops(pooled.shards, frames, fingerprint)
    share = partial(execution.ranks.share_of_step, batches.batch)
    views = augmented_views(encoders, settings.augment, seed, ("first view", "second view"))
    plan = Plan(
        steps=steps,
        batch=batches.batch,
        load=lambda steps: load_steps(crops, share, steps, views, device, settings.workers),
        targets=lambda positions: targets[positions],
        report=report,
    )
    run_stage(
        params, settings, task, plan, sidecar, inputs.manifest, target, device=device, execution=execution, save=save
    )


def image_passes(settings: PretrainParams, source: Source, seed: int) -> int:
    """Count the images that pass through the encoder in a stage 1 on one data set: two views of every image drawn."""
    _, batches, steps = _plan(settings, pool([source], settings.stride, source.fold.unseen_descriptions), source, seed)
    return 2 * steps * batches.batch_size


def _plan(
    settings: PretrainParams, pooled: Pool, own: Source, seed: int
) -> tuple[np.ndarray, CrossedBatches | EpochBatches, int]:
    """Return the activity of each frame, as an index of its description, the batches, and the number of steps."""
    frames = pooled.frames
    activities = pd.Categorical(frames["described"], categories=pooled.described).codes.astype(np.int64)  # (frame,)
    if settings.permute_activities:
        activities = permute_activities(frames["person"].to_numpy(), activities, seed)
    drawn = settings.activities
    if own.fold.unseen_descriptions:  # the subjects of the run may then have fewer than the params ask for
        drawn = min(drawn, frames.loc[frames["dataset"] == own.dataset, "described"].nunique())
    batches: CrossedBatches | EpochBatches
    if settings.batches == "random":
        batches = EpochBatches(len(frames), settings.subjects * drawn * settings.frames, seed)
    else:
        batches = _crossed_batches(settings, drawn, frames, activities, seed)
    return activities, batches, max(1, round(settings.epochs * batches.steps_per_epoch))


def _crossed_batches(
    settings: PretrainParams, drawn: int, frames: pd.DataFrame, activities: np.ndarray, seed: int
) -> CrossedBatches:
    batches = CrossedBatches(
        subject=frames["person"].to_numpy(),
        activity=activities,
        clip=frames["clip"].to_numpy(),
        position=frames["frame"].to_numpy(),
        subjects=settings.subjects,
        activities=drawn,
        frames=settings.frames,
        seed=seed,
    )
    if batches.never_drawn:
        log.warning("subjects with too few activities for a batch: %s", ", ".join(batches.never_drawn))
    if len(batches.unused):
        log.warning("%d of %d frames fit into no crossed batch", len(batches.unused), len(frames))
    return batches
