"""Load batches of crops: encoded images are memory-mapped, and decoded a batch at a time."""

import shutil
import signal
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clef.errors import ClefError
from clef.faces.shard import decode_crop, open_shard, read_fingerprint
from clef.runtime.progress import notice

SHARED_MEMORY = Path("/dev/shm")
"""PyTorch sends tensors of workers to the training process through files here."""
PREFETCHED = 2
"""Batches that each worker loads ahead."""
TRAININGS = 8
"""Trainings on one machine for which shared memory must be enough."""


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

    def __getstate__(self) -> dict[str, object]:
        # Workers map the files themselves; pickled tables would be copies.
        return {key: value for key, value in self.__dict__.items() if key != "_columns"}

    @cached_property
    def _columns(self) -> dict[str, pa.ChunkedArray]:
        return {name: open_shard(path)["crop"] for name, path in self._paths.items()}

    @cached_property
    def bytes_each(self) -> int:
        """Size of a decoded crop. All have the same."""
        return self.decode(np.arange(1)).nbytes

    def decode(self, indices: np.ndarray) -> Tensor:
        """Decode the crops of frame indices to RGB images, uint8 (batch, 3, height, width)."""
        images = []
        for index in indices:
            encoded = self._columns[self._shard[index]][int(self._row[index])].as_buffer()
            image = decode_crop(encoded)
            if image is None:
                path = self._paths[self._shard[index]]
                raise ClefError(f"{path}: row {self._row[index]} is not a JPEG; delete the shard and crop again")
            images.append(image)
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


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


class _Steps(Dataset[tuple[np.ndarray, Tensor]]):
    """A data set whose items are the batches of steps."""

    def __init__(self, crops: Crops, batch: Callable[[int], np.ndarray]) -> None:
        self.crops = crops
        self.batch = batch

    def __getitem__(self, step: int) -> tuple[np.ndarray, Tensor]:
        indices = self.batch(step)
        return indices, self.crops.decode(indices)


class _ByPipe:
    """Images that a worker sends through its pipe and not through shared memory. They arrive as a tensor."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __reduce__(self) -> tuple[Callable[[np.ndarray], Tensor], tuple[np.ndarray]]:
        return torch.from_numpy, (self._images.numpy(),)


def load_steps(
    crops: Crops, batch: Callable[[int], np.ndarray], steps: range, workers: int, pin_memory: bool = False
) -> DataLoader[tuple[np.ndarray, Tensor]]:
    """Load the batches of steps in order: frame indices (batch,) and images (batch, 3, height, width).

    Args:
        crops: The frames to draw from.
        batch: Returns the frame indices of a step. Not a closure: it is pickled for workers, unless they are forked.
        steps: The steps to load.
        workers: Number of worker processes; 0 decodes in this process.
        pin_memory: For faster copies to a GPU.
    """
    by_pipe = workers > 0 and len(steps) > 0 and not _fits_in_shared_memory(crops, batch(steps[0]), workers)
    return DataLoader(
        _Steps(crops, batch),
        sampler=steps,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        prefetch_factor=PREFETCHED if workers else None,
        collate_fn=_by_pipe if by_pipe else _unchanged,
        worker_init_fn=_ignore_first_signals,
        persistent_workers=False,
    )


def _fits_in_shared_memory(crops: Crops, batch: np.ndarray, workers: int) -> bool:
    """Return whether shared memory has room for the batches of all trainings: a worker that fills it up hangs."""
    if not SHARED_MEMORY.is_dir():
        return True
    loaded = workers * PREFETCHED + 2  # one is in use, and one is being pinned
    needed = TRAININGS * loaded * len(batch) * crops.bytes_each
    if shutil.disk_usage(SHARED_MEMORY).free >= needed:
        return True
    _report_small_shared_memory()
    return False


@cache
def _report_small_shared_memory() -> None:
    notice(
        "%s is too small for crops, so workers send them through pipes, which is slower; enlarge it, in Docker with "
        "`docker run --shm-size=8g`",
        SHARED_MEMORY,
    )


def _unchanged(batch: Any) -> Any:
    return batch


def _by_pipe(batch: Any) -> Any:
    indices, images = batch
    return indices, _ByPipe(images)


def _ignore_first_signals(worker: int) -> None:
    """Survive ctrl-C or SIGTERM to the whole process group, so that the training can save.

    A second SIGTERM ends the worker: PyTorch uses it for workers that do not exit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL))


def in_batches(count: int, size: int) -> Sequence[np.ndarray]:
    """Split the indices 0 to count - 1 into consecutive batches of at most `size`."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
