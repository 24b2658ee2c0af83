"""Predict the test frames of a fold with its stage 2, and score them. Only this module reads test labels."""

from pathlib import Path

import numpy as np
import pandas as pd

from clef.batches.crops import Crops
from clef.errors import ClefError
from clef.evaluation.fold.join_labels import join_held_out
from clef.evaluation.fold.json_data import write_json
from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.fold.threshold_tuning import Tuning, tune
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold, inner_split, require_disjoint
from clef.manifest.table import manifest_fingerprint
from clef.model.device import prepare_device
from clef.model.encoders import Encoders
from clef.model.prediction import predict_frames, prediction_table
from clef.model.tasks import LabelTask
from clef.model.texts import as_recorded, label_templates, label_texts
from clef.model.weights_file import restore
from clef.params.schema import Params
from clef.runtime.files import atomic_write
from clef.runtime.progress import notice
from clef.training.checkpoint import (
    load_weights,
    require_fingerprint,
    require_same_crops,
    require_unseen_activities,
)
from clef.training.inputs import EvaluationData, Inputs, labels_in_use


def evaluate_fold(
    params: Params,
    seed: int,
    fold: Fold,
    inputs: Inputs,
    weights: Path,
    epochs: Path,
    predictions: Path,
    target: Path,
    inner: Path | None = None,
    other_dataset: EvaluationData | None = None,
) -> None:
    """Write the predictions and then the metrics of one seed and fold.

    `epochs` has the test predictions after each epoch of stage 2; `inner` has those of the inner stage 2 for the
    subjects that `tune` holds out. `other_dataset` replaces the fold's test subjects. `seed` is only recorded.

    Raises:
        ClefError: The weights saw a test subject, or were trained with other crop settings, texts or params.
    """
    device = prepare_device(params)
    state, sidecar = load_weights(weights, "finetune")
    fingerprint = manifest_fingerprint(inputs.manifest)
    require_fingerprint(sidecar, fingerprint, weights, inputs.manifest)
    texts, templates = label_texts(params.texts, params.labels), label_templates(params.texts)
    now = {name: params.tracked(name) for name in ("dataset", "model", "labels", "texts", "finetune")}
    now |= as_recorded(texts, templates)
    if differing := [name for name, value in now.items() if sidecar.get(name) != value]:
        raise ClefError(
            f"{weights}: trained with other {', '.join(differing)} than the run has now (see its .json file); "
            "train again, or restore the params"
        )
    data = other_dataset or EvaluationData(params.dataset.name, inputs, fold, params.labels.tested)
    require_same_crops(data.inputs.manifest, inputs.manifest)
    test = data.frames(params.evaluate.stride)
    trained_on = [subject for dataset, subject in sidecar["trained_on"] if dataset == data.dataset]
    require_disjoint(trained_on, set(test["subject"].dropna()))
    require_unseen_activities(sidecar, data.fold, weights)
    cropped = test["status"].isin(CROPPED).to_numpy()

    encoders = Encoders(params.model.model_copy(update={"pretrained": None}))
    task = LabelTask(encoders, texts, params.labels, templates, params.finetune, None, seed)
    restore(task, state, weights)
    task.encoders.normalise_as(sidecar, weights)
    task.to(device)
    if params.labels.zero_shot:
        task = task.for_labels(label_texts(params.texts, data.labels), data.labels)
    crops = Crops(data.inputs.shards, test[cropped], manifest_fingerprint(data.inputs.manifest))
    predicted = predict_frames(task, crops, params.evaluate.batch, device, params.finetune.workers)
    table = prediction_table(test, data.labels.names, predicted, cropped)
    with atomic_write(predictions) as partial:
        table.to_parquet(partial, index=False)

    train_labels = _known_labels(params, fold, inputs, sidecar["seed"])
    if other_dataset is not None:
        train_labels["activity"] = None  # activities of another data set differ even if their names are equal
    metrics = score_fold(
        table,
        pd.read_parquet(epochs).merge(test[["sequence", "frame"]], on=["sequence", "frame"]),
        select.test_labels(data.inputs.manifest, data.fold, data.labels, params.evaluate.stride),
        train_labels,
        data.labels,
        params.evaluate,
        _tuning(params, fold, inner, inputs, target),
    )
    write_json(target, metrics | {"seed": seed, "fold": fold.number, "trained_on": params.dataset.name})
    notice("%d test frames, %d with a crop", len(test), int(np.sum(cropped)))


def _known_labels(params: Params, fold: Fold, inputs: Inputs, seed: int) -> pd.DataFrame:
    """The training labels that baselines may use: with a label budget, those that stage 2 was trained on."""
    labels = params.labels
    if labels.zero_shot:  # none of the labels that are tested is known in training
        return pd.DataFrame(columns=["sequence", "frame", *labels.tested.names, "expression"])
    if params.finetune.label_share == 1:
        return select.training_labels(inputs.manifest, fold, labels)
    labelled = select.training_frames(inputs.manifest, fold, labels, params.finetune.stride)
    return labelled.iloc[labels_in_use(labelled, params.finetune, seed, fold)].copy()


def _tuning(params: Params, fold: Fold, inner: Path | None, inputs: Inputs, target: Path) -> Tuning | None:
    if params.tune is None:
        return None
    if inner is None:
        raise ClefError(f"{target}: the run has a `tune` section; give --inner, from `clef finetune --inner`")
    held_out = inner_split(fold, params.tune.held_out, params.folds.seed).test_subjects
    predicted = pd.read_parquet(inner)
    if set(predicted["subject"]) != set(held_out):
        raise ClefError(f"{inner}: has other subjects than `tune` holds out now; train the inner stage 2 again")
    train_labels = select.training_labels(inputs.manifest, fold, params.labels)
    known = train_labels[train_labels["subject"].isin(held_out)]
    return tune(*join_held_out(predicted, known, params.labels), params.evaluate.threshold)
