"""Stage 2 of one seed and fold: match images with the texts of the labels.

Training reads the labels of training subjects only. After each epoch it predicts the labelled test frames, without
reading their labels. Evaluation scores the last epoch, and reports the optimistic choice of the best epoch on the test
fold.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from clef.batches.crops import Crops, load_steps
from clef.batches.randomness import torch_seed
from clef.batches.sampling import EpochBatches
from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold
from clef.manifest.table import manifest_fingerprint
from clef.model.device import prepare_device
from clef.model.encoders import Encoders
from clef.model.prediction import Predictions, predict_frames, prediction_table
from clef.model.tasks import LabelTask
from clef.model.texts import as_recorded, label_templates, label_texts
from clef.model.weights_file import restore
from clef.params.schema import FINETUNE_SECTIONS, Params, PretrainParams
from clef.runtime.files import atomic_write, file_hash
from clef.training.checkpoint import load_weights, save_weights
from clef.training.inputs import EvaluationData, Inputs, labels_in_use
from clef.training.loop import Execution, Plan, work_folder
from clef.training.pretrain import image_passes
from clef.training.provenance import provenance
from clef.training.sidecar import (
    distributed_as_crops,
    require_crop_settings,
    require_fingerprint,
    require_model,
    require_same_crops,
    require_unseen_activities,
)
from clef.training.stage import augmented_views, run_stage
from clef.training.stage1_datasets import Source

log = logging.getLogger(__name__)


def finetune(
    params: Params,
    seed: int,
    fold: Fold,
    inputs: Inputs,
    stage1: Path | None,
    target: Path,
    epochs: Path,
    other_dataset: EvaluationData | None = None,
    replaced: PretrainParams | None = None,
    execution: Execution | None = None,
) -> None:
    """Train stage 2 on the labelled training frames of a fold, and write the weights and the predictions of each epoch.

    Args:
        params: The run.
        seed: Seed of weights, sampling and augmentation.
        fold: Training and test subjects. An inner split of a fold holds out some of its training subjects.
        inputs: Manifest and crops.
        stage1: Encoders to start from; None for those of `model.pretrained`.
        target: The weights to write (safetensors, with a JSON sidecar).
        epochs: The parquet file of test predictions to write.
        other_dataset: Predict this data instead of the fold's test subjects.
        replaced: A stage 1 whose images pass through stage 2 in addition to its own.
        execution: Rank and interruption of this process; the defaults train alone and without a time budget.

    Raises:
        ClefError: Stage 1 saw a test subject or other crops, or the training failed.
        Unfinished: The training was interrupted and its state is saved.
    """
    execution = execution or Execution()
    ranks = execution.ranks
    settings, labels = params.finetune, params.labels
    device = prepare_device(params)
    labelled = select.training_frames(inputs.manifest, fold, labels, settings.stride)
    kept = labels_in_use(labelled, settings, seed, fold)
    without_budget = EpochBatches(len(labelled), settings.batch, seed)
    epoch_steps, batch = without_budget.steps_per_epoch, without_budget.batch_size
    # A smaller share of labels is trained on for as many steps of as many images, so that it differs in nothing else:
    # batch norm and learning rate suit one size of batch. Frames that do not fill a batch are therefore repeated.
    frames = labelled.iloc[np.tile(kept, -(-batch // len(kept)))].reset_index(drop=True)
    data = other_dataset or EvaluationData(params.dataset.name, inputs, fold, labels.tested)
    test = data.frames(stride=1)
    test = test[test["status"].isin(CROPPED)].reset_index(drop=True)
    targets = select.targets(frames, labels)
    fingerprint = manifest_fingerprint(inputs.manifest)
    require_crop_settings(fingerprint, params.crop, inputs.manifest)
    require_same_crops(data.inputs.manifest, inputs.manifest)

    torch.manual_seed(torch_seed(seed))
    encoders = Encoders(params.model)
    if stage1 is not None:
        _start_from(encoders, stage1, data, params, fingerprint, inputs.manifest)
    texts, templates = label_texts(params.texts, labels), label_templates(params.texts)
    rates = torch.from_numpy(np.nanmean(targets, axis=0)) if labels.kind == "action_units" else None
    task = LabelTask(encoders, texts, labels, templates, settings, rates, seed)
    batches = EpochBatches(
        len(frames),
        batch,
        seed,
        classes=select.most_likely(targets) if settings.balance == "classes" else None,
    )
    last_epoch = settings.epochs
    if replaced is not None:
        # An inner split starts from the stage 1 of its fold.
        source = Source(params.dataset.name, inputs, fold.outer, open_dataset(params).activities)
        passes = image_passes(replaced, source, seed)
        last_epoch += round(passes / (epoch_steps * batch))
    steps = last_epoch * epoch_steps
    only_last = fold.inner or settings.test_epochs == "last"
    predicted = [last_epoch] if only_last else range(1, last_epoch + 1)
    sidecar = {
        "stage": "finetune",
        "steps": steps,
        "stage1": None if stage1 is None else file_hash(stage1),
        **as_recorded(texts, templates),
        "normalisation": encoders.normalisation,
        **provenance(params, FINETUNE_SECTIONS, seed, fold, inputs, frames, fingerprint),
        "test_subjects": list(data.fold.test_subjects),
    }
    if other_dataset is not None:
        sidecar["tested"] = {"dataset": data.dataset, "manifest": file_hash(data.inputs.manifest)}
    log.info(
        "stage 2, seed %d, fold %s%s: %d labelled frames, %d epochs of %d steps",
        seed,
        fold.number,
        f", {len(fold.test_subjects)} subjects held out" if fold.inner else "",
        len(kept),
        last_epoch,
        epoch_steps,
    )

    work = work_folder(target)
    crops = Crops(inputs.shards, frames, fingerprint)
    share = partial(ranks.share_of_step, batches.batch)
    test_share = test.iloc[ranks.share(np.arange(len(test)))]
    test_crops = Crops(data.inputs.shards, test_share, manifest_fingerprint(data.inputs.manifest))

    def predict(epoch: int) -> None:
        if epoch not in predicted:
            return
        tested = task.for_labels(label_texts(params.texts, data.labels), data.labels) if labels.zero_shot else task
        last = epoch == last_epoch
        own = predict_frames(tested, test_crops, params.evaluate.batch, device, settings.workers, describe=last)
        similarities = None if own.similarities is None else ranks.collect(own.similarities)
        every = Predictions(ranks.collect(own.probabilities), similarities)
        if ranks.rank != 0:
            return
        table = prediction_table(test, data.labels.names, every)
        table.insert(0, "epoch", np.int16(epoch))
        with atomic_write(work / f"epoch{epoch:04d}.parquet") as temporary:
            table.to_parquet(temporary, index=False)

    def save() -> None:
        parts = [pd.read_parquet(work / f"epoch{epoch:04d}.parquet") for epoch in predicted]
        with atomic_write(epochs) as temporary:
            pd.concat(parts, ignore_index=True).to_parquet(temporary, index=False)
        save_weights(target, task.state_dict(), sidecar | {"predictions": file_hash(epochs)})

    views = augmented_views(encoders, settings.augment, seed, ("training view",))
    plan = Plan(
        steps=steps,
        batch=batches.batch,
        load=lambda steps: load_steps(crops, share, steps, views, device, settings.workers),
        targets=lambda positions: torch.from_numpy(targets[positions]),
        epoch_steps=epoch_steps,
        on_epoch=predict,
    )
    run_stage(
        params, settings, task, plan, sidecar, inputs.manifest, target, device=device, execution=execution, save=save
    )


def _start_from(
    encoders: Encoders, stage1: Path, data: EvaluationData, params: Params, fingerprint: dict[str, Any], manifest: Path
) -> None:
    """Load the encoders of stage 1, if they fit and saw no subject or activity that only the test has."""
    weights, sidecar = load_weights(stage1, "pretrain")
    require_model(sidecar, params.model, stage1)
    if distributed_as_crops(fingerprint, sidecar["fingerprint"]):
        log.info("%s: stage 1 had other crop settings, because one of the data sets is distributed as crops", stage1)
    else:
        require_fingerprint(sidecar, fingerprint, stage1, manifest)
    seen = {tuple(subject) for subject in sidecar["trained_on"]}
    leaked = sorted(seen & {(data.dataset, subject) for subject in data.fold.unseen_subjects})
    if leaked:
        names = ", ".join(subject for _, subject in leaked)
        raise ClefError(
            f"{stage1}: stage 1 was trained on test subjects {names} of fold {data.fold.number}; expected none"
        )
    require_unseen_activities(sidecar, data.fold, stage1)
    restore(encoders, weights, stage1)
    encoders.normalise_as(sidecar, stage1)
    log.info("starting from %s", stage1)
