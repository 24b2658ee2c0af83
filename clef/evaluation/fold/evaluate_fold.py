"""Predict the test frames of a fold with its stage 2, and score them. The only place that reads test labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clef.batches.crops import Crops
from clef.errors import ClefError
from clef.evaluation.fold.join_labels import align_held_out
from clef.evaluation.fold.json_data import write_json
from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.fold.threshold_tuning import tune
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold, inner_split, require_disjoint
from clef.manifest.table import manifest_fingerprint
from clef.model.device import prepare_device
from clef.model.prediction import prediction_table, probabilities
from clef.model.tasks import Encoders, LabelTask
from clef.model.texts import LabelTexts, Templates, as_recorded, label_templates, label_texts
from clef.params.schema import Params
from clef.runtime.files import appearing
from clef.runtime.progress import notice
from clef.training.checkpoint import load_weights, require_fingerprint, require_same_crops, restore
from clef.training.inputs import EvaluationData, Inputs


def evaluate(
    params: Params,
    seed: int,
    fold: Fold,
    inputs: Inputs,
    weights: Path,
    epochs: Path,
    predictions: Path,
    target: Path,
    inner: Path | None = None,
    elsewhere: EvaluationData | None = None,
) -> None:
    """Write the predictions and the metrics of one seed and fold.

    Args:
        params: The run.
        seed: Of the training; noted in the metrics.
        fold: Who is tested.
        inputs: Manifest and crops.
        weights: Stage 2.
        epochs: Its test predictions after each epoch.
        predictions: The parquet file of predictions to write.
        target: The JSON file of metrics to write, last.
        inner: What the inner stage 2 predicted for the training subjects that `tune` holds out; None without.
        elsewhere: Whom to test, if not the fold's own test subjects.

    Raises:
        ClefError: The weights saw a test subject, crops of other settings, or other texts than the run has now.
    """
    device = prepare_device(params)
    state, sidecar = load_weights(weights, "finetune")
    fingerprint = manifest_fingerprint(inputs.manifest)
    require_fingerprint(sidecar, fingerprint, weights, inputs.manifest)
    texts, templates = label_texts(params.texts, params.labels), label_templates(params.texts)
    _require_same_run(sidecar, params, texts, templates, weights)
    tested = elsewhere or EvaluationData(params.dataset.name, inputs, fold, params.labels)
    require_same_crops(tested.inputs.manifest, inputs.manifest)
    test = tested.frames(params.evaluate.stride)
    trained_on = [subject for dataset, subject in sidecar["trained_on"] if dataset == tested.dataset]
    require_disjoint(trained_on, set(test["subject"].dropna()))
    cropped = test["status"].isin(CROPPED).to_numpy()

    task = LabelTask(
        Encoders(params.model.model_copy(update={"pretrained": None})),
        texts,
        params.labels,
        templates,
        params.finetune,
        None,
        seed,
    )
    restore(task, state, weights)
    task.encoders.normalise_as(sidecar, weights)
    task.to(device)
    crops = Crops(tested.inputs.shards, test[cropped], fingerprint)
    values = probabilities(task, crops, params.evaluate.batch, device, params.finetune.workers)
    table = prediction_table(test, params.labels.names, values, cropped)
    with appearing(predictions) as partial:
        table.to_parquet(partial, index=False)

    after_epochs = pd.read_parquet(epochs).merge(test[["sequence", "frame"]], on=["sequence", "frame"])
    train_labels = select.training_labels(inputs.manifest, fold, params.labels)
    if elsewhere is not None:
        train_labels["activity"] = None  # the other data set's are other activities, whatever they are called
    tuning = None
    if params.tune is not None:
        if inner is None:
            raise ClefError(f"{target}: the run has a `tune` section; give --inner, from `clef finetune --inner`")
        held_out = inner_split(fold, params.tune.held_out, params.folds.seed).test_subjects
        predicted = pd.read_parquet(inner)
        if set(predicted["subject"]) != set(held_out):
            raise ClefError(
                f"{inner}: predictions of other people than `tune` holds out now; train the inner stage 2 again"
            )
        known = train_labels[train_labels["subject"].isin(held_out)]
        tuning = tune(*align_held_out(predicted, known, params.labels), params.evaluate.threshold)
    metrics = score_fold(
        table,
        after_epochs,
        select.test_labels(tested.inputs.manifest, tested.fold, tested.labels, params.evaluate.stride),
        train_labels,
        params.labels,
        params.evaluate,
        tuning,
    )
    write_json(target, metrics | {"seed": seed, "fold": fold.number, "trained_on": params.dataset.name})
    notice("%d test frames, %d with a crop", len(test), int(np.sum(cropped)))


def _require_same_run(
    sidecar: dict[str, Any], params: Params, texts: list[LabelTexts], templates: Templates, weights: Path
) -> None:
    """Refuse weights trained with other texts or settings than they would be scored with."""
    now = {name: params.tracked(name) for name in ("dataset", "model", "labels", "texts", "finetune")}
    now |= as_recorded(texts, templates)
    differing = [name for name, value in now.items() if sidecar.get(name) != value]
    if differing:
        raise ClefError(
            f"{weights}: trained with other {', '.join(differing)} than the run has now; "
            f"the .json beside it has its own: train again, or restore the params"
        )
