"""The frames that stage 1 learns from: those of one data set, or of several as if they were one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clef.errors import ClefError
from clef.manifest.folds import Fold
from clef.manifest.select import pretraining_frames
from clef.training.inputs import Inputs


@dataclass(frozen=True)
class Source:
    """A data set of activities."""

    dataset: str
    inputs: Inputs
    fold: Fold
    """Its training subjects take part."""
    activities: Mapping[str, str]
    """Activity id to the key of its description, as `Dataset.activities`."""


@dataclass(frozen=True)
class Pool:
    """Frames and crops of all sources."""

    frames: pd.DataFrame
    """Rows of the manifests, and of each its `person` and `clip`, which no two data sets share, and its `described`,
    the key of the activity's description: what two data sets describe alike is one activity. `shard` is one of
    `shards`."""
    shards: dict[str, Path]

    @property
    def described(self) -> list[str]:
        """Keys of the descriptions, in the order of the activity index."""
        return sorted(self.frames["described"].unique())


def pool(sources: Iterable[Source], stride: int) -> Pool:
    """Join every n-th cropped frame of the training subjects of each source.

    Raises:
        ClefError: A data set has no activities, or one of them no description.
    """
    parts: list[pd.DataFrame] = []
    shards: dict[str, Path] = {}
    for source in sources:
        frames = pretraining_frames(source.inputs.manifest, source.fold, stride)
        unknown = sorted(set(frames["activity"]) - set(source.activities))
        if unknown:
            raise ClefError(
                f"{source.inputs.manifest}: activity {unknown[0]} is none of {source.dataset}; "
                f"expected some of {', '.join(source.activities)}"
            )
        own = f"{source.dataset}/"
        parts.append(
            frames.assign(
                person=own + frames["subject"],
                clip=own + frames["sequence"],
                described=frames["activity"].map(dict(source.activities)),
                shard=own + frames["shard"],
            )
        )
        shards |= {own + name: path for name, path in source.inputs.shards.items()}
    return Pool(pd.concat(parts, ignore_index=True), shards)
