"""Probe the weights of one seed and fold: before training, after stage 1 and after stage 2."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clef.batches.crops import Crops
from clef.batches.randomness import torch_seed
from clef.errors import ClefError
from clef.evaluation.fold.json_data import json_data, write_json
from clef.evaluation.fold.metrics import Floats
from clef.evaluation.probe.features import image_features
from clef.evaluation.probe.probe import (
    Reading,
    read_action_units,
    read_activity,
    read_expression,
    read_identity,
)
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold, require_disjoint
from clef.manifest.table import manifest_fingerprint
from clef.model.device import prepare_device
from clef.model.encoders import Encoders
from clef.model.weights_file import restore
from clef.params.schema import LabelParams, Params
from clef.runtime.files import file_hash
from clef.runtime.progress import notice
from clef.training.checkpoint import load_weights
from clef.training.inputs import EvaluationData, Inputs
from clef.training.sidecar import (
    Stage,
    require_fingerprint,
    require_model,
    require_same_crops,
    require_unseen_activities,
)

DECIMALS = 4


def probe_fold(
    params: Params,
    seed: int,
    fold: Fold,
    inputs: Inputs,
    stage1: Path | None,
    stage2: Path,
    target: Path,
    other_dataset: EvaluationData | None = None,
) -> None:
    """Write what linear classifiers read from the frozen features of one seed and fold, as JSON.

    Identity and activity are read among the test subjects, from every n-th frame with a crop, labelled or not. Labels
    are learnt from every n-th labelled frame of the training subjects, and read from those of the test subjects. The
    row `from true labels` has the activity as read from the true labels, present or absent, of those of the latter
    frames on which all labels are known. `other_dataset` replaces the test subjects. Without `stage1`, its row is
    missing.

    Raises:
        ClefError: The weights saw a test subject, do not belong together, or do not fit the params or the crops.
    """
    device = prepare_device(params)
    data = other_dataset or EvaluationData(params.dataset.name, inputs, fold, params.labels)
    trained = [("after stage 2", stage2, *_load(stage2, "finetune", params))]
    sidecar = trained[0][-1]
    fingerprint = manifest_fingerprint(inputs.manifest)
    require_fingerprint(sidecar, fingerprint, stage2, inputs.manifest)
    require_same_crops(data.inputs.manifest, inputs.manifest)
    if stage1 is not None:
        trained.insert(0, ("after stage 1", stage1, *_load(stage1, "pretrain", params)))
        if file_hash(stage1) != sidecar["stage1"]:
            raise ClefError(
                f"{stage1}: {stage2} started from another stage 1; restore that one, or train stage 2 again"
            )
    stride = params.probe.stride
    train = select.training_frames(inputs.manifest, fold, params.labels, stride)
    test = select.test_labels(data.inputs.manifest, data.fold, data.labels, stride)
    test = test[test["status"].isin(CROPPED)]
    clips = select.test_clips(data.inputs.manifest, data.fold, stride)
    for _, path, _, sidecar in trained:
        trained_on = [subject for dataset, subject in sidecar["trained_on"] if dataset == data.dataset]
        require_disjoint(trained_on, {*test["subject"].dropna(), *clips["subject"]})
        require_unseen_activities(sidecar, data.fold, path)
    parts = [(inputs, train), (data.inputs, test), (data.inputs, clips)]
    crops = [Crops(part.shards, frames, manifest_fingerprint(part.manifest)) for part, frames in parts]
    train_truth, truth = _truth(train, params.labels), _truth(test, params.labels)
    subject, activity = clips["subject"].to_numpy(), clips["activity"].to_numpy()
    column, read = ("auc", read_action_units)
    if params.labels.kind == "expressions":
        column, read = ("accuracy", read_expression)

    def probe(encoders: Encoders) -> dict[str, Reading]:
        batch, workers = params.evaluate.batch, params.finetune.workers
        learnt, labelled, every = (image_features(encoders, part, batch, device, workers) for part in crops)
        return {
            "identity": read_identity(every, subject, activity),
            "activity": read_activity(every, subject, activity),
            column: read(learnt, train_truth, labelled, truth),
        }

    torch.manual_seed(torch_seed(seed))
    encoders = Encoders(params.model).to(device)
    readings = probe(encoders)
    rows = [{"weights": "before training", **_scores(readings)}]
    for name, path, state, sidecar in trained:
        restore(encoders, state, path)
        encoders.normalise_as(sidecar, path)
        rows.append({"weights": name, **_scores(probe(encoders))})
    rows.append({"weights": "chance", **{key: reading.chance for key, reading in readings.items()}})
    known = test[["subject", "activity"]].notna().all(axis=1).to_numpy() & ~np.isnan(truth).any(axis=1)
    acted = test[known]
    from_labels = read_activity(truth[known], acted["subject"].to_numpy(), acted["activity"].to_numpy())
    rows.append({"weights": "from true labels", "activity": from_labels.score})
    frames = {"training": len(train), "test": len(test), "clips": len(clips)}
    content = {"seed": seed, "fold": fold.number, "stage2": file_hash(stage2), "frames": frames}
    write_json(target, {**content, "rows": json_data(rows, DECIMALS)})
    notice("%d labelled training frames, %d labelled test frames, %d frames of clips", *frames.values())


def _load(path: Path, stage: Stage, params: Params) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the encoders of a stage and their sidecar."""
    weights, sidecar = load_weights(path, stage)
    require_model(sidecar, params.model, path)
    if stage == "finetune":  # the encoders are a part of its model
        prefix = "encoders."
        weights = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    return weights, sidecar


def _scores(readings: dict[str, Reading]) -> dict[str, float]:
    return {key: reading.score for key, reading in readings.items()}


def _truth(frames: pd.DataFrame, labels: LabelParams) -> Floats:
    """Labels as (frame, label) with 1, 0, and NaN for unknown; one-hot for expressions."""
    if labels.kind == "action_units":
        return frames[labels.names].to_numpy(dtype=np.float64)
    classes = pd.Categorical(frames["expression"], categories=labels.names).codes
    truth = np.eye(len(labels.names))[classes]
    truth[classes < 0] = np.nan
    return truth
