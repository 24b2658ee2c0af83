"""Load batches of crops: encoded images are memory-mapped, and decoded and changed a batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import starmap
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from clef.errors import ClefError
from clef.faces.shard import decode_crop, open_shard, read_fingerprint
from clef.runtime.read_ahead import map_ahead

AHEAD = 2
"""Batches that each thread loads ahead."""

View = TypeVar("View")


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
    crops: Crops,
    batch: Callable[[int], np.ndarray],
    steps: range,
    view: Callable[[Tensor, np.ndarray, int], View],
    device: torch.device,
    workers: int = 0,
) -> Iterator[tuple[np.ndarray, View]]:
    """Load the batches of steps in order: frame indices (batch,) and what is made of their images.

    Args:
        crops: The frames to draw from.
        batch: Returns the frame indices of a step.
        steps: The steps to load.
        view: Makes views of images, uint8 (batch, 3, height, width) on the device, given frame indices and step.
        device: A GPU makes the views in the calling thread, since it makes them fast and in the order of its work.
        workers: Number of threads that work on the next batches; 0 loads each in the calling thread when asked. OpenCV
            and PyTorch work without Python's lock, so processes are not needed.
    """
    on_gpu = device.type == "cuda"

    def decode(step: int, indices: np.ndarray) -> tuple[int, np.ndarray, Tensor]:
        return step, indices, crops.decode(indices, pin_memory=on_gpu)

    def see(step: int, indices: np.ndarray, images: Tensor) -> tuple[np.ndarray, View]:
        return indices, view(images.to(device, non_blocking=True), indices, step)

    wanted = ((step, batch(step)) for step in steps)
    if not workers:
        yield from (see(*decode(*item)) for item in wanted)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="load", initializer=_use_one_thread) as pool:
        if on_gpu:
            yield from starmap(see, map_ahead(lambda item: decode(*item), wanted, pool, AHEAD * workers))
        else:
            yield from map_ahead(lambda item: see(*decode(*item)), wanted, pool, AHEAD * workers)


def _use_one_thread() -> None:
    """Let PyTorch use no further threads in the calling one."""
    torch.get_num_threads()  # sets the number of a new thread to that of the process, which must not happen later
    threadpool_limits(1, user_api="openmp")


def in_batches(count: int, size: int) -> Sequence[np.ndarray]:
    """Split the indices 0 to count - 1 into consecutive batches of at most `size`."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
