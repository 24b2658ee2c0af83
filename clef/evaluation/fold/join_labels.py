"""Join the predictions of one fold with its labels, row by row."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clef.errors import ClefError
from clef.evaluation.fold.metrics import Floats, any_known
from clef.manifest.folds import require_disjoint
from clef.params.schema import LabelParams


@dataclass(frozen=True)
class FoldArrays:
    """The test and training frames with at least one known label."""

    truth: Floats
    """(frames, labels): 1, 0, NaN unknown; one-hot for expressions."""
    probability: Floats
    """(frames, labels); NaN rows without a crop."""
    similarity: Floats | None
    """Similarity with each label's description, of the same shape, from 0 to 1; None if the predictions have none."""
    epochs: dict[int, Floats]
    """Epoch to probabilities of the same shape, including the last epoch; empty if none were kept."""
    subject: NDArray
    activity: NDArray
    sequence: NDArray
    """(frames,) of str; subject and activity may be None."""
    status: dict[str, int]
    """Number of test frames with each crop status."""
    train_truth: Floats
    """(training frames, labels)."""
    train_activity: NDArray
    """(training frames,) of str or None."""

    @property
    def epochs_to_choose_from(self) -> dict[int, Floats]:
        """`epochs`, if all of them were kept; otherwise none, since the best of a few is not the best."""
        return self.epochs if len(self.epochs) == max(self.epochs, default=0) else {}


def join_labels(
    predictions: pd.DataFrame,
    epochs: pd.DataFrame | None,
    test_labels: pd.DataFrame,
    train_labels: pd.DataFrame,
    labels: LabelParams,
) -> FoldArrays:
    """Join by (sequence, frame). For the tables see `clef.evaluation.fold.score_fold.score_fold`.

    Raises:
        ClefError: A frame occurs twice or is missing on one side, a value is out of range, or a subject is in training
            and in test.
    """
    index = _index(predictions, "predictions")
    truth = _truth(test_labels, labels, "test labels")
    label_index = _index(test_labels, "test labels")
    _require_all(label_index[any_known(truth)], index, "labelled test frames have no row in the predictions")
    _require_all(index, label_index, "predicted frames have no label")
    truth = truth[label_index.get_indexer(index)]
    known = any_known(truth)
    if not known.any():
        raise ClefError(f"test labels: no known {labels.kind} among {len(truth)} frames; nothing can be scored")
    probability = _probabilities(predictions, labels, "predictions")
    by_epoch = {}
    for epoch, rows in epochs.groupby("epoch") if epochs is not None else ():
        values = _in_order(rows, index, labels, f"epoch {epoch}")
        has_crop, has_epoch = index[any_known(probability)], index[any_known(values)]
        _require_all(has_crop, has_epoch, f"frames have a crop but no predictions of epoch {epoch}")
        by_epoch[int(rows["epoch"].iloc[0])] = values[known]
    _require_unseen_subjects(train_labels, predictions)
    status = predictions.loc[known, "status"].value_counts().sort_index()
    return FoldArrays(
        truth=truth[known],
        probability=probability[known],
        similarity=_similarities(predictions, labels)[known] if f"d_{labels.names[0]}" in predictions else None,
        epochs=by_epoch,
        subject=_strings(predictions, "subject")[known],
        activity=_strings(predictions, "activity")[known],
        sequence=_strings(predictions, "sequence")[known],
        status={str(name): int(frames) for name, frames in status.items()},
        train_truth=_truth(train_labels, labels, "training labels"),
        train_activity=_strings(train_labels, "activity"),
    )


def join_held_out(predictions: pd.DataFrame, held_out: pd.DataFrame, labels: LabelParams) -> tuple[Floats, Floats]:
    """Join the predictions of the inner stage 2, which need a crop, with the labels of the subjects held out from it.

    Returns truth and probability, (frames, labels) each; probability is NaN without a crop.
    """
    truth = _truth(held_out, labels, "held-out labels")
    return truth, _in_order(predictions, _index(held_out, "held-out labels"), labels, "held-out predictions")


def _index(table: pd.DataFrame, name: str) -> pd.MultiIndex:
    index = pd.MultiIndex.from_arrays([table["sequence"].astype(str), table["frame"].astype(np.int64)])
    if not index.is_unique:
        sequence, frame = index[index.duplicated()][0]
        raise ClefError(f"{name}: frame {frame} of {sequence} occurs twice; expected each frame once")
    return index


def _require_all(wanted: pd.MultiIndex, present: pd.MultiIndex, problem: str) -> None:
    missing = wanted[present.get_indexer(wanted) < 0]
    if len(missing):
        sequence, frame = missing[0]
        raise ClefError(f"{len(missing)} {problem}, such as frame {frame} of {sequence}; use one manifest and stride")


def _truth(table: pd.DataFrame, labels: LabelParams, name: str) -> Floats:
    if labels.kind == "action_units":
        truth = table[labels.names].to_numpy(dtype=np.float64, na_value=np.nan)
        invalid = truth[~np.isnan(truth) & (truth != 0) & (truth != 1)]
        if len(invalid):
            raise ClefError(f"{name}: label {invalid[0]:g}; expected 1, 0 or missing")
        return truth
    classes = _strings(table, "expression")
    known = np.array([value is not None for value in classes], dtype=bool)
    unknown_names = sorted(set(classes[known]) - set(labels.names))
    if unknown_names:
        raise ClefError(f"{name}: expression {unknown_names[0]}; expected one of {', '.join(labels.names)} or missing")
    one_hot = (classes[:, None] == np.array(labels.names, dtype=object)).astype(np.float64)
    one_hot[~known] = np.nan
    return one_hot


def _probabilities(table: pd.DataFrame, labels: LabelParams, name: str) -> Floats:
    columns = [f"p_{label}" for label in labels.names]
    probability = table[columns].to_numpy(dtype=np.float32, na_value=np.nan)
    valid = ((probability >= 0) & (probability <= 1)).all(axis=1) | np.isnan(probability).all(axis=1)
    if not valid.all():
        raise ClefError(f"{name}: a frame has probabilities outside 0 to 1, or for some labels only")
    return probability


def _similarities(table: pd.DataFrame, labels: LabelParams) -> Floats:
    cosines = table[[f"d_{label}" for label in labels.names]].to_numpy(dtype=np.float32, na_value=np.nan)
    return (cosines + 1) / 2


def _in_order(table: pd.DataFrame, index: pd.MultiIndex, labels: LabelParams, name: str) -> Floats:
    """The probabilities of each frame of an index; NaN if the table does not have it."""
    own = _index(table, name)
    _require_all(own, index, f"frames of the {name} have no label")
    probability = np.full((len(index), len(labels.names)), np.nan, dtype=np.float32)
    probability[index.get_indexer(own)] = _probabilities(table, labels, name)
    return probability


def _require_unseen_subjects(train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Compare subjects within a data set only: F001 of one data set is not F001 of another."""
    if "dataset" in train:
        train = train[train["dataset"].isin(test["dataset"])]
    require_disjoint(_strings(train, "subject").tolist(), _strings(test, "subject").tolist())


def _strings(table: pd.DataFrame, column: str) -> NDArray:
    """A column as objects, with None for missing values or if the table has no such column."""
    if column not in table:
        return np.full(len(table), None, dtype=object)
    values = table[column].astype(object)
    return values.where(values.notna(), None).to_numpy(dtype=object)
