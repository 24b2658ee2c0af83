"""The files that training and evaluation of a fold read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clef.batches.sampling import label_budget
from clef.errors import ClefError
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold
from clef.params.schema import FinetuneParams, LabelParams


@dataclass(frozen=True)
class Inputs:
    """A manifest and the paths of its shards, by name."""

    manifest: Path
    shards: dict[str, Path]


def labels_in_use(labelled: pd.DataFrame, settings: FinetuneParams, seed: int, fold: Fold) -> np.ndarray:
    """Indices of the labelled training frames whose labels a training may use; see `label_budget`."""
    subjects = labelled["subject"].fillna("").to_numpy(dtype=str)
    return label_budget(subjects, settings.label_share, settings.label_share_of, seed, fold.number)


@dataclass(frozen=True)
class EvaluationData:
    """The frames that a training is tested on: the test subjects of its own fold, or another data set."""

    dataset: str
    inputs: Inputs
    fold: Fold
    """Its test subjects are tested."""
    labels: LabelParams
    """The run's labels, with the threshold and the treatment of votes that suit the tested data set."""

    def frames(self, stride: int) -> pd.DataFrame:
        """Return the keys, without labels, of every n-th labelled test frame, cropped or not.

        Raises:
            ClefError: No frame has a crop.
        """
        frames = select.test_frames(self.inputs.manifest, self.fold, stride)
        if not frames["status"].isin(CROPPED).any():
            raise ClefError(f"{self.inputs.manifest}: fold {self.fold.number} has no test frame with a crop")
        return frames
