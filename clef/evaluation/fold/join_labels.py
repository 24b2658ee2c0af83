"""From the tables of one fold to arrays that agree row by row."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clef.errors import ClefError
from clef.evaluation.fold.metrics import Floats, any_known
from clef.manifest.folds import require_disjoint
from clef.params.schema import LabelParams

KEY = ["sequence", "frame"]


@dataclass(frozen=True)
class FoldArrays:
    """Test and training frames with at least one known label."""

    truth: Floats
    """(frames, labels): 1, 0, NaN unknown; one-hot for expressions."""
    probability: Floats
    """(frames, labels); NaN rows where there is no crop."""
    epochs: dict[int, Floats]
    """Epoch to probabilities of the same shape, the last epoch included; empty where none were kept."""
    subject: NDArray
    """(frames,) of str or None."""
    activity: NDArray
    """(frames,) of str or None."""
    sequence: NDArray
    """(frames,) of str."""
    status: dict[str, int]
    """Test frames by what became of them."""
    train_truth: Floats
    """(training frames, labels)."""
    train_activity: NDArray
    """(training frames,) of str or None."""


def align(
    predictions: pd.DataFrame,
    epochs: pd.DataFrame | None,
    test_labels: pd.DataFrame,
    train_labels: pd.DataFrame,
    labels: LabelParams,
) -> FoldArrays:
    """Join predictions with labels by (sequence, frame).

    Args:
        predictions: Key columns, `status`, and one column `p_` + label each.
        epochs: The same with `epoch`, for the frames with a crop; None where a training kept none.
        test_labels: `sequence`, `frame`, and the labels.
        train_labels: The labels with `subject` and `activity`.
        labels: Which columns.

    Raises:
        ClefError: A labelled frame without a prediction, a prediction without a label, frames twice,
            probabilities outside [0, 1] or missing in some columns only, an epoch without some frame, or a
            subject in both sides.
    """
    index = _index(predictions, "predictions")
    truth = _truth(test_labels, labels, "test labels")
    label_index = _index(test_labels, "test labels")
    known = any_known(truth)
    _require_all(label_index[known], index, "labelled test frames have no row in the predictions")
    _require_all(index, label_index, "predicted frames have no label")
    truth = truth[label_index.get_indexer(index)]
    known = any_known(truth)
    if not known.any():
        raise ClefError(f"test labels: no known {labels.kind} among {len(truth)} frames; nothing can be scored")
    probability = _probabilities(predictions, labels, "predictions")
    by_epoch = {}
    for epoch, rows in epochs.groupby("epoch") if epochs is not None else ():
        number = int(rows["epoch"].iloc[0])
        by_epoch[number] = _epoch(rows, index, probability, labels, f"epoch {epoch}")[known]
    subject = _names(predictions, "subject")
    _require_other_people(train_labels, predictions)
    status = predictions.loc[known, "status"].value_counts().sort_index()
    return FoldArrays(
        truth=truth[known],
        probability=probability[known],
        epochs=by_epoch,
        subject=subject[known],
        activity=_names(predictions, "activity")[known],
        sequence=_names(predictions, "sequence")[known],
        status={str(name): int(frames) for name, frames in status.items()},
        train_truth=_truth(train_labels, labels, "training labels"),
        train_activity=_names(train_labels, "activity"),
    )


def align_held_out(predictions: pd.DataFrame, known: pd.DataFrame, labels: LabelParams) -> tuple[Floats, Floats]:
    """Join what the inner stage 2 predicted with the labels of the training subjects held out from it.

    Args:
        predictions: `sequence`, `frame` and one column `p_` + label each, for the frames with a crop.
        known: `sequence`, `frame`, `subject` and the labels of all labelled frames of the people held out.
        labels: Which columns.

    Returns:
        Truth and probability, (frames, labels) each; probability is NaN where there is no crop.

    Raises:
        ClefError: A prediction without a label, frames twice, or probabilities outside [0, 1].
    """
    truth = _truth(known, labels, "held-out labels")
    index, label_index = _index(predictions, "held-out predictions"), _index(known, "held-out labels")
    _require_all(index, label_index, "predicted held-out frames have no label")
    probability = np.full(truth.shape, np.nan, dtype=np.float32)
    probability[label_index.get_indexer(index)] = _probabilities(predictions, labels, "held-out predictions")
    return truth, probability


def _index(table: pd.DataFrame, name: str) -> pd.MultiIndex:
    index = pd.MultiIndex.from_arrays([table["sequence"].astype(str), table["frame"].astype(np.int64)], names=KEY)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise ClefError(f"{name}: frame {twice[1]} of {twice[0]} stands there twice; expected each frame once")
    return index


def _require_all(wanted: pd.MultiIndex, there: pd.MultiIndex, what: str) -> None:
    missing = wanted[there.get_indexer(wanted) < 0]
    if len(missing):
        sequence, frame = missing[0]
        raise ClefError(
            f"{len(missing)} {what}, such as frame {frame} of {sequence}; "
            "predict again with the same manifest and stride"
        )


def _truth(table: pd.DataFrame, labels: LabelParams, name: str) -> Floats:
    if labels.kind == "action_units":
        truth = table[labels.names].to_numpy(dtype=np.float64, na_value=np.nan)
        odd = truth[~np.isnan(truth) & (truth != 0) & (truth != 1)]
        if len(odd):
            raise ClefError(f"{name}: label {odd[0]:g}; expected 1, 0 or missing")
        return truth
    classes = table["expression"].astype(object).where(table["expression"].notna(), None)
    strange = sorted(set(classes.dropna()) - set(labels.names))
    if strange:
        raise ClefError(f"{name}: expression {strange[0]}; expected one of {', '.join(labels.names)} or missing")
    one_hot = (classes.to_numpy()[:, None] == np.array(labels.names, dtype=object)).astype(np.float64)
    one_hot[classes.isna().to_numpy()] = np.nan
    return one_hot


def _probabilities(table: pd.DataFrame, labels: LabelParams, name: str) -> Floats:
    columns = [f"p_{label}" for label in labels.names]
    absent = [column for column in columns if column not in table]
    if absent:
        raise ClefError(f"{name}: no column {absent[0]}; expected predictions of {', '.join(labels.names)}")
    probability = table[columns].to_numpy(dtype=np.float32, na_value=np.nan)
    missing = np.isnan(probability)
    if (missing.any(axis=1) & ~missing.all(axis=1)).any():
        raise ClefError(f"{name}: a frame has probabilities for some labels only; expected all, or none without a crop")
    if ((probability < 0) | (probability > 1)).any():
        raise ClefError(f"{name}: a probability lies outside 0 to 1")
    return probability


def _epoch(rows: pd.DataFrame, index: pd.MultiIndex, final: Floats, labels: LabelParams, name: str) -> Floats:
    position = _index(rows, name).get_indexer(index)
    has_crop = any_known(final)
    if (position[has_crop] < 0).any():
        sequence, frame = index[has_crop & (position < 0)][0]
        raise ClefError(f"{name}: no probabilities for frame {frame} of {sequence}, which has a crop; train again")
    probability = np.full_like(final, np.nan)
    probability[has_crop] = _probabilities(rows, labels, name)[position[has_crop]]
    return probability


def _require_other_people(trained: pd.DataFrame, tested: pd.DataFrame) -> None:
    """Subjects are compared within a data set: F001 of one is not F001 of another."""
    if "dataset" in trained:
        trained = trained[trained["dataset"].isin(tested["dataset"])]
    require_disjoint(_names(trained, "subject").tolist(), _names(tested, "subject").tolist())


def _names(table: pd.DataFrame, column: str) -> NDArray:
    if column not in table:
        return np.full(len(table), None, dtype=object)
    values = table[column].astype(object)
    return values.where(values.notna(), None).to_numpy(dtype=object)
