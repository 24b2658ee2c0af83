"""The files that training and evaluation of a fold read."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clef.errors import ClefError
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.folds import Fold
from clef.params.schema import LabelParams


@dataclass(frozen=True)
class Inputs:
    """The manifest, and the shards that it points into, by name."""

    manifest: Path
    shards: dict[str, Path]


@dataclass(frozen=True)
class EvaluationData:
    """The test side: that of the fold which is trained, or everybody of another data set."""

    dataset: str
    inputs: Inputs
    fold: Fold
    """Its test subjects."""
    labels: LabelParams
    """The labels that are trained, read as the tested data set's: by its threshold, by its way with votes."""

    def frames(self, stride: int) -> pd.DataFrame:
        """Every n-th labelled frame of the test side, cropped or not: its keys, without its labels.

        Raises:
            ClefError: None of them has a crop, so that nothing can be predicted.
        """
        frames = select.test_frames(self.inputs.manifest, self.fold, stride)
        if not frames["status"].isin(CROPPED).any():
            raise ClefError(f"{self.inputs.manifest}: fold {self.fold.number} has no test frame with a crop")
        return frames
