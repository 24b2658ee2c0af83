"""Load batches of crops: encoded images are memory-mapped, and decoded a batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from clef.errors import ClefError
from clef.faces.shard import decode_crop, open_shard, read_fingerprint
from clef.runtime.read_ahead import map_ahead

AHEAD = 2
"""Batches that each thread loads ahead."""


class Crops:
    """Random access to the crops of some frames.

    Args:
        shards: Path of each shard by name.
        frames: Rows of the manifest, with `shard`, `row`, `sequence` and `frame`.
        fingerprint: The manifest's crop fingerprint.

    Raises:
        ClefError: A shard is missing, or has other crop settings or frames than the manifest.
    """

    def __init__(self, shards: dict[str, Path], frames: pd.DataFrame, fingerprint: dict[str, Any]) -> None:
        missing = sorted(set(frames["shard"]) - set(shards))
        if missing:
            raise ClefError(f"crops: no shard {missing[0]}; expected every shard of the manifest")
        for name, used in frames.groupby("shard", sort=False):
            _require_same(shards[str(name)], used, fingerprint)
        self._paths = shards
        self._shard = frames["shard"].to_numpy(dtype=object)
        self._row = frames["row"].to_numpy()

    def __len__(self) -> int:
        return len(self._row)

    @cached_property
    def _columns(self) -> dict[str, pa.ChunkedArray]:
        return {name: open_shard(path)["crop"] for name, path in self._paths.items()}

    def decode(self, indices: np.ndarray, pin_memory: bool = False) -> Tensor:
        """Decode the crops of frame indices to RGB images, uint8 (batch, 3, height, width)."""
        images = torch.empty(0)
        for place, index in enumerate(indices):
            image = self._decode_one(index)
            if place == 0:
                images = torch.empty((len(indices), *image.shape), dtype=torch.uint8, pin_memory=pin_memory)
            images.numpy()[place] = image
        return images.permute(0, 3, 1, 2)

    def _decode_one(self, index: int) -> np.ndarray:
        encoded = self._columns[self._shard[index]][int(self._row[index])].as_buffer()
        image = decode_crop(encoded)
        if image is None:
            path = self._paths[self._shard[index]]
            raise ClefError(f"{path}: row {self._row[index]} is not a JPEG; delete the shard and crop again")
        return image


def _require_same(path: Path, frames: pd.DataFrame, fingerprint: dict[str, Any]) -> None:
    if (found := read_fingerprint(path)) != fingerprint:
        raise ClefError(f"{path}: crop settings are {found}, but the manifest has {fingerprint}; crop again")
    keys = open_shard(path).select(["sequence", "frame"])
    rows = frames["row"].to_numpy()
    same = bool(rows.max(initial=-1) < len(keys))
    if same:
        keys = keys.take(rows)
        same = keys["sequence"].to_pylist() == frames["sequence"].tolist()
        same = same and np.array_equal(keys["frame"].to_numpy(), frames["frame"].to_numpy())
    if not same:
        raise ClefError(f"{path}: its frames differ from those of the manifest; build the manifest again")


def load_steps(
    crops: Crops, batch: Callable[[int], np.ndarray], steps: range, workers: int, pin_memory: bool = False
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Load the batches of steps in order: frame indices (batch,) and images (batch, 3, height, width).

    Args:
        crops: The frames to draw from.
        batch: Returns the frame indices of a step.
        steps: The steps to load.
        workers: Number of threads that decode the next batches; 0 decodes in the calling thread when asked. OpenCV
            decodes without Python's lock, so processes are not needed.
        pin_memory: For faster copies to a GPU.
    """

    def load(indices: np.ndarray) -> tuple[np.ndarray, Tensor]:
        return indices, crops.decode(indices, pin_memory)

    batches = map(batch, steps)
    if not workers:
        yield from map(load, batches)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="load") as pool:
        yield from map_ahead(load, batches, pool, AHEAD * workers)


def in_batches(count: int, size: int) -> Sequence[np.ndarray]:
    """Split the indices 0 to count - 1 into consecutive batches of at most `size`."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
