"""Score the predictions that stage 2 made for the test frames of its fold. Only this module reads test labels."""

from pathlib import Path
from typing import Any

import pandas as pd

from clef.errors import ClefError
from clef.evaluation.fold.join_labels import join_held_out
from clef.evaluation.fold.json_data import write_json
from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.fold.threshold_tuning import Tuning, tune
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold, inner_split, require_disjoint
from clef.manifest.table import manifest_fingerprint
from clef.model.texts import as_recorded, label_templates, label_texts
from clef.params.schema import Params
from clef.runtime.files import atomic_write, file_hash
from clef.runtime.progress import notice
from clef.training.inputs import EvaluationData, Inputs, labels_in_use
from clef.training.sidecar import (
    read_sidecar,
    require_fingerprint,
    require_same_crops,
    require_unseen_activities,
)


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
    """Write the predictions of the last epoch for all test frames, and then the metrics, of one seed and fold.

    `epochs` has the test predictions after each epoch of stage 2; `inner` has those of the inner stage 2 for the
    subjects that `tune` holds out. `other_dataset` replaces the fold's test subjects. `seed` is only recorded. No crop
    is read.

    Raises:
        ClefError: The weights saw a test subject, or were trained with other crop settings, texts or params; or the
            predictions are not those of the weights.
    """
    sidecar = read_sidecar(weights, "finetune")
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

    by_epoch = _predicted(epochs, test, weights, sidecar)
    table = _last_epoch(by_epoch, test)
    with atomic_write(predictions) as partial:
        table.to_parquet(partial, index=False)

    train_labels = _known_labels(params, fold, inputs, sidecar["seed"])
    if other_dataset is not None:
        train_labels["activity"] = None  # activities of another data set differ even if their names are equal
    metrics = score_fold(
        table,
        by_epoch,
        select.test_labels(data.inputs.manifest, data.fold, data.labels, params.evaluate.stride),
        train_labels,
        data.labels,
        params.evaluate,
        _tuning(params, fold, inner, inputs, target),
    )
    write_json(target, metrics | {"seed": seed, "fold": fold.number, "trained_on": params.dataset.name})
    notice("%d test frames, %d with a crop", len(test), int(test["status"].isin(CROPPED).sum()))


def _predicted(epochs: Path, test: pd.DataFrame, weights: Path, sidecar: dict[str, Any]) -> pd.DataFrame:
    """Read the predictions of these test frames after each epoch.

    Raises:
        ClefError: They were not written with the weights, or a frame with a crop has none.
    """
    if "predictions" not in sidecar:
        raise ClefError(f"{weights}: trained by an earlier version, which did not keep these predictions; train again")
    if file_hash(weights) != sidecar.get("sha256"):
        raise ClefError(f"{weights}: changed since it was trained; expected the file that its .json names: train again")
    if not epochs.is_file():
        raise ClefError(f"{epochs}: no such file; run `clef finetune` first, which writes it")
    if file_hash(epochs) != sidecar["predictions"]:
        raise ClefError(f"{epochs}: was not written with {weights}; expected the files of one training: train again")
    every = pd.read_parquet(epochs)
    by_epoch = every.merge(test[["sequence", "frame"]], on=["sequence", "frame"])
    predicted = by_epoch["epoch"].value_counts().reindex(every["epoch"].unique(), fill_value=0)
    if (predicted != test["status"].isin(CROPPED).sum()).any():
        raise ClefError(f"{epochs}: has other test frames than the manifest; train again")
    return by_epoch


def _last_epoch(by_epoch: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """The predictions after the last epoch in the order of the test frames, missing for those without a crop."""
    last = by_epoch[by_epoch["epoch"] == by_epoch["epoch"].max()]
    values = last.filter(regex=r"^(sequence$|frame$|p_|d_)")
    return test[select.TEST_KEYS].merge(values, how="left", on=["sequence", "frame"], validate="one_to_one")


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
