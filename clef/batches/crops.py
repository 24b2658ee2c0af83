"""Crops to batches: encoded faces are read by memory map and decoded, one whole batch at a time."""

import signal
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clef.errors import ClefError
from clef.faces.shard import open_shard, read_fingerprint


class Crops:
    """Random access to the crops of some frames.

    Args:
        shards: Path of each shard by name.
        frames: Rows of the manifest, with `shard`, `row`, `sequence` and `frame`.
        fingerprint: The manifest's crop fingerprint.

    Raises:
        ClefError: A shard is missing, was cropped otherwise, or has other frames than the manifest says.
    """

    def __init__(self, shards: dict[str, Path], frames: pd.DataFrame, fingerprint: dict[str, Any]) -> None:
        missing = sorted(set(frames["shard"]) - set(shards))
        if missing:
            raise ClefError(f"crops: no shard {missing[0]} among those given; expected every shard of the manifest")
        for name, used in frames.groupby("shard", sort=False):
            _require_same(shards[str(name)], used, fingerprint)
        self._paths = shards
        self._shard = frames["shard"].to_numpy(dtype=object)
        self._row = frames["row"].to_numpy()

    def __len__(self) -> int:
        return len(self._row)

    def __getstate__(self) -> dict[str, object]:
        # A worker process maps the files itself; a pickled table would be a copy.
        return {key: value for key, value in self.__dict__.items() if key != "_columns"}

    @cached_property
    def _columns(self) -> dict[str, pa.ChunkedArray]:
        return {name: open_shard(path)["crop"] for name, path in self._paths.items()}

    def decode(self, indices: np.ndarray) -> Tensor:
        """RGB images, uint8 (batch, 3, height, width), of the frames at these positions.

        Raises:
            ClefError: A crop is damaged.
        """
        images = []
        for index in indices:
            encoded = self._columns[self._shard[index]][int(self._row[index])].as_buffer()
            image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
            if image is None:
                path = self._paths[self._shard[index]]
                raise ClefError(f"{path}: row {self._row[index]}: crop is no JPEG; delete the shard and crop again")
            images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def _require_same(path: Path, frames: pd.DataFrame, fingerprint: dict[str, Any]) -> None:
    if read_fingerprint(path) != fingerprint:
        raise ClefError(f"{path}: cropped as {read_fingerprint(path)}, the manifest says {fingerprint}; crop again")
    keys = open_shard(path).select(["sequence", "frame"])
    rows = frames["row"].to_numpy()
    same = len(rows) == 0 or rows.max() < len(keys)
    if same:
        there = keys.take(rows)
        same = there["sequence"].to_pylist() == frames["sequence"].tolist()
        same = same and bool((there["frame"].to_numpy() == frames["frame"].to_numpy()).all())
    if not same:
        raise ClefError(f"{path}: its frames are not those of the manifest; build the manifest again")


class _Steps(Dataset[tuple[np.ndarray, Tensor]]):
    """Item n is the whole batch of step n."""

    def __init__(self, crops: Crops, batch: Callable[[int], np.ndarray]) -> None:
        self.crops = crops
        self.batch = batch

    def __getitem__(self, step: int) -> tuple[np.ndarray, Tensor]:
        indices = self.batch(step)
        return indices, self.crops.decode(indices)


def load_steps(
    crops: Crops, batch: Callable[[int], np.ndarray], steps: range, workers: int, pin_memory: bool = False
) -> DataLoader[tuple[np.ndarray, Tensor]]:
    """Batches of the given steps in order: positions (batch,) and images (batch, 3, height, width).

    Args:
        crops: The frames to draw from.
        batch: Positions of the frames of a step, a pure function of the step. Where processes are not forked, as on
            macOS, it is pickled for each that decodes: no closure.
        steps: The steps to load; a resumed training gives those still to do.
        workers: Processes that decode ahead; 0 decodes in this one.
        pin_memory: Faster copies to a GPU.
    """
    return DataLoader(
        _Steps(crops, batch),
        sampler=steps,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        collate_fn=_as_it_is,
        worker_init_fn=_outlive_signals,
        persistent_workers=False,
    )


def _as_it_is(batch: Any) -> Any:
    return batch


def _outlive_signals(worker: int) -> None:
    """Keep a signal to every process from ending a decoder under a training that has yet to save.

    That is ctrl-C in a terminal, or SIGTERM to a cluster's job. A second SIGTERM does end one: PyTorch ends so what is
    left over.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _once)


def _once(number: int, frame: Any) -> None:
    signal.signal(number, signal.SIG_DFL)


def in_batches(count: int, size: int) -> Sequence[np.ndarray]:
    """Positions 0 to count - 1, in order, in batches of at most `size`."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
