"""The files that training and evaluation of a fold read."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Inputs:
    """The manifest, and the shards that it points into, by name."""

    manifest: Path
    shards: dict[str, Path]
