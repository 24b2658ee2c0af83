"""The files that training and evaluation of a fold read."""

from dataclasses import dataclass
from pathlib import Path

from clef.folds import Fold
from clef.params import LabelParams


@dataclass(frozen=True)
class Inputs:
    """The manifest, and the shards that it points into, by name."""

    manifest: Path
    shards: dict[str, Path]


@dataclass(frozen=True)
class WhoIsTested:
    """The test side: that of the fold which is trained, or everybody of another data set."""

    dataset: str
    inputs: Inputs
    fold: Fold
    """Its test subjects."""
    labels: LabelParams
    """The labels that are trained, read as the tested data set's: by its threshold, by its way with votes."""
