"""The frames of stage 1, from one data set or from several."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clef.errors import ClefError
from clef.manifest.folds import Fold
from clef.manifest.select import pretraining_frames
from clef.training.inputs import Inputs


@dataclass(frozen=True)
class Source:
    """A data set with activities."""

    dataset: str
    inputs: Inputs
    fold: Fold
    """Its training subjects are trained on."""
    activities: Mapping[str, str]
    """Activity id to the key of its description, as `Dataset.activities`."""


@dataclass(frozen=True)
class Pool:
    """Frames and crops of all sources."""

    frames: pd.DataFrame
    """Rows of the manifests. `shard` is a key of `shards`. Additional columns: `person` and `clip`, which are unique
    across data sets, and `described`, the key of the activity's description: activities of different data sets with
    the same description are one activity."""
    shards: dict[str, Path]

    @property
    def described(self) -> list[str]:
        """Keys of the descriptions, in the order of the activity index."""
        return sorted(self.frames["described"].unique())


def pool(sources: Iterable[Source], stride: int, left_out: Collection[str] = ()) -> Pool:
    """Join every n-th cropped frame of the training subjects of each source.

    Activities whose descriptions have a key in `left_out` are left out of every source, whatever their id there.
    """
    parts: list[pd.DataFrame] = []
    shards: dict[str, Path] = {}
    for source in sources:
        frames = pretraining_frames(source.inputs.manifest, source.fold, stride)
        unknown = sorted(set(frames["activity"]) - set(source.activities))
        if unknown:
            raise ClefError(
                f"{source.inputs.manifest}: unknown activity {unknown[0]} of {source.dataset}; "
                f"expected one of {', '.join(source.activities)}"
            )
        prefix = f"{source.dataset}/"
        frames = frames.assign(
            person=prefix + frames["subject"],
            clip=prefix + frames["sequence"],
            described=frames["activity"].map(dict(source.activities)),
            shard=prefix + frames["shard"],
        )
        parts.append(frames[~frames["described"].isin(left_out)])
        shards |= {prefix + name: path for name, path in source.inputs.shards.items()}
    return Pool(pd.concat(parts, ignore_index=True), shards)
