"""Select frames of the manifest for a stage, and turn their raw codes into the targets of a run.

Only `test_labels` returns labels of the test side, and only evaluation calls it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from clef.datasets import votes
from clef.datasets.base import NOT_CODED
from clef.errors import ClefError
from clef.faces.shard import CROPPED
from clef.manifest.folds import Fold, require_disjoint
from clef.manifest.table import manifest_columns, read_manifest
from clef.params.schema import LabelParams

KEYS = ["dataset", "subject", "activity", "sequence", "frame", "split", "status", "shard", "row", "labelled"]
TEST_KEYS = ["dataset", "subject", "activity", "sequence", "frame", "status"]
"""Columns that identify a test frame in tables of predictions."""


def pretraining_frames(manifest: Path, fold: Fold, stride: int) -> pd.DataFrame:
    """Every n-th cropped frame of each sequence of the training side, labelled or not, with its activity."""
    frames = _side(manifest, fold, "train", KEYS)
    frames = every_nth(frames[frames["status"].isin(CROPPED)], stride)
    if frames["activity"].isna().any() or frames.empty:
        raise ClefError(
            f"{manifest}: stage 1 needs frames with an activity; take it from another run (`pretrain: from`)"
        )
    return frames.reset_index(drop=True)


def training_frames(manifest: Path, fold: Fold, labels: LabelParams, stride: int) -> pd.DataFrame:
    """Every n-th labelled and cropped frame of the training side, with targets.

    Returns:
        Keys and one float column per action unit (1, 0, NaN unknown); or the column `expression` with the class, and
        the columns of votes if the data set has them.
    """
    frames = training_labels(manifest, fold, labels)
    frames = every_nth(frames[frames["status"].isin(CROPPED)], stride)
    known = targets(frames, labels)
    known = known >= 0 if known.ndim == 1 else ~np.isnan(known).all(axis=1)
    frames = frames[known].reset_index(drop=True)
    if frames.empty:
        raise ClefError(f"{manifest}: fold {fold.number} has no labelled training frame with a crop")
    return frames


def training_labels(manifest: Path, fold: Fold, labels: LabelParams) -> pd.DataFrame:
    """Every labelled frame of the training side, cropped or not, with targets as in `training_frames`."""
    return _with_targets(_side(manifest, fold, "train", [*KEYS, *_raw_columns(manifest, labels)]), labels)


def test_frames(manifest: Path, fold: Fold, stride: int) -> pd.DataFrame:
    """Keys of every n-th labelled frame of the test side, cropped or not, without labels."""
    frames = _side(manifest, fold, "test", KEYS)
    return every_nth(frames[frames["labelled"]], stride).reset_index(drop=True)


def test_labels(manifest: Path, fold: Fold, labels: LabelParams, stride: int) -> pd.DataFrame:
    """The frames of `test_frames` with targets as in `training_frames`."""
    frames = _side(manifest, fold, "test", [*KEYS, *_raw_columns(manifest, labels)])
    return every_nth(_with_targets(frames, labels), stride).reset_index(drop=True)


def test_clips(manifest: Path, fold: Fold, stride: int) -> pd.DataFrame:
    """Keys of every n-th cropped frame of the test side that has a subject and an activity, labelled or not."""
    frames = _side(manifest, fold, "test", KEYS)
    frames = every_nth(frames[frames["status"].isin(CROPPED)], stride)
    return frames.dropna(subset=["subject", "activity"]).reset_index(drop=True)


def every_nth(frames: pd.DataFrame, stride: int) -> pd.DataFrame:
    """Every n-th of the frames of each sequence, starting with the first."""
    return frames[frames.groupby("sequence", sort=False).cumcount() % stride == 0]


def targets(frames: pd.DataFrame, labels: LabelParams) -> np.ndarray:
    """Targets of the losses.

    Returns:
        (frame, action unit) float32, NaN if unknown; or (frame,) int64 class index, -1 if unknown; or, if votes count
        as probabilities, (frame, class) float32 with sum 1, a row of NaN if unknown.
    """
    if labels.kind == "action_units":
        return frames[labels.names].to_numpy(dtype=np.float32)
    if labels.votes == "probability":
        return votes.distributions(frames, labels.expressions)
    return pd.Categorical(frames["expression"], categories=labels.expressions).codes.astype(np.int64)


def most_likely(targets: np.ndarray) -> np.ndarray:
    """Class index of each frame, (frame,), for targets of expressions: the class with the largest share."""
    return targets if targets.ndim == 1 else targets.argmax(axis=1)


def _side(manifest: Path, fold: Fold, side: str, columns: list[str]) -> pd.DataFrame:
    """Rows of the training or test side. The reader's filter drops the other side."""
    if fold.by_split:
        subjects = read_manifest(manifest, ["subject", "split"]).drop_duplicates().dropna()
        require_disjoint(*(set(subjects.loc[subjects["split"] == name, "subject"]) for name in ("train", "test")))
        frames = read_manifest(manifest, columns, [("split", "==", side)])
    else:
        wanted = fold.train_subjects if side == "train" else fold.test_subjects
        require_disjoint(fold.train_subjects, fold.test_subjects)
        frames = read_manifest(manifest, columns, [("subject", "in", set(wanted))])
        missing = sorted(set(wanted) - set(frames["subject"]))
        if missing:
            raise ClefError(f"{manifest}: fold {fold.number}: no frame of {', '.join(missing)}; expected every subject")
        if fold.unseen_activities:
            unseen = frames["activity"].isin(fold.unseen_activities)
            frames = frames[unseen if side == "test" else ~unseen]
    if frames.empty:
        raise ClefError(f"{manifest}: fold {fold.number} has no {side} frames")
    return frames


def _raw_columns(manifest: Path, labels: LabelParams) -> list[str]:
    if labels.votes is not None:
        columns = votes.vote_columns(manifest_columns(manifest))
        if not columns:
            raise ClefError(f"{manifest}: no columns of votes; expected a manifest of this run; build it again")
        return columns
    return labels.names if labels.kind == "action_units" else ["expression"]


def _with_targets(frames: pd.DataFrame, labels: LabelParams) -> pd.DataFrame:
    frames = frames[frames["labelled"]].copy()
    if labels.kind == "expressions":
        if labels.votes is not None:
            frames["expression"] = votes.classes(frames, labels.votes)
        frames["expression"] = frames["expression"].where(frames["expression"].isin(labels.expressions))
        return frames
    for name in labels.names:
        code = frames[name].astype("Float32").to_numpy(dtype=np.float32, na_value=np.nan)
        present = np.where(code >= labels.threshold, np.float32(1), np.float32(0))
        frames[name] = np.where(np.isnan(code) | (code == NOT_CODED), np.float32(np.nan), present)
    return frames
