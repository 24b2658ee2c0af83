"""Processes that train one model together, each with a share of every batch.

Features are gathered before the losses, so the gradient is that of one process with the whole batch. Batch norms see
the whole batch on CUDA only, since `SyncBatchNorm` has no CPU version: on a CPU, each process normalises by its share.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clef.errors import ClefError, Unfinished
from clef.model.tasks import Task

RENDEZVOUS = "CLEF_RENDEZVOUS"  # environment variable with a URL for `init_process_group`


@dataclass(frozen=True)
class Ranks:
    """This process among the `world` processes of its training; only rank 0 writes files and shows progress."""

    rank: int = 0
    world: int = 1

    def share(self, positions: np.ndarray) -> np.ndarray:
        """Return this rank's part of a batch."""
        if len(positions) < self.world:
            raise ClefError(f"gpus: {self.world} processes cannot share {len(positions)} images; lower `gpus`")
        return np.array_split(positions, self.world)[self.rank]

    def share_of_step(self, batch: Callable[[int], np.ndarray], step: int) -> np.ndarray:
        """Return this rank's part of a step's batch."""
        return self.share(batch(step))

    def gathering(self, batch_size: int) -> Callable[[Tensor], Tensor]:
        """Return a differentiable function from the features of a share to those of the batch, (batch_size, dim)."""
        if self.world == 1:
            return lambda features: features
        sizes = [len(part) for part in np.array_split(np.arange(batch_size), self.world)]

        def gather(features: Tensor) -> Tensor:
            own = features.detach()
            padded = nn.functional.pad(own, (0, 0, 0, sizes[0] - len(own)))  # shares differ by one image at most
            parts = [torch.empty_like(padded) for _ in sizes]
            dist.all_gather(parts, padded)
            # Each rank differentiates the same loss by its own share. The mean over ranks must become their sum.
            parts[self.rank] = own + self.world * (features - own)
            return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

        return gather

    def collect(self, share: np.ndarray) -> np.ndarray:
        """Join the shares of all ranks along the first axis, on every rank."""
        parts = [share] * self.world
        if self.world > 1:
            dist.all_gather_object(parts, share)
        return np.concatenate(parts)

    def first(self, reason: str | None) -> str | None:
        """Return on every rank the reason of the lowest rank that has one, or None if no rank has one."""
        if self.world == 1:
            return reason
        flag = torch.tensor(reason is not None, dtype=torch.int)  # on the CPU, so that no GPU waits
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        if not flag:
            return None
        reasons = [reason] * self.world
        dist.all_gather_object(reasons, reason)
        return next(reason for reason in reasons if reason is not None)

    def wait(self) -> None:
        """Wait until all ranks have reached this call."""
        if self.world > 1:
            dist.barrier()

    def wrap(self, task: Task, device: torch.device) -> nn.Module:
        """Return the task to call in training; it averages gradients over ranks."""
        if self.world == 1:
            return task
        if device.type == "cuda":  # the image tower only: heads see the gathered batch
            task.encoders.clip.visual = convert_sync_batchnorm(task.encoders.clip.visual)
        return DistributedDataParallel(task, find_unused_parameters=True)  # a linear head leaves the text tower unused

    def copy_buffers(self, task: Task) -> None:
        """Copy the buffers of rank 0, such as the statistics of batch norms, to all ranks."""
        if self.world > 1:
            for buffer in task.buffers():
                dist.broadcast(buffer, src=0)


@contextmanager
def connected(device: str, processes: int) -> Iterator[Ranks]:
    """Connect the processes of a training while the block runs; `RANK` and `WORLD_SIZE` say which one this is."""
    rank, world = os.environ.get("RANK", "unset"), os.environ.get("WORLD_SIZE", "1")
    if processes == 1 and (rank == "unset" or world == "1"):
        yield Ranks()
        return
    if world != str(processes) or rank not in map(str, range(processes)):
        mismatch = f"gpus is {processes}, but RANK is {rank} and WORLD_SIZE {world}"
        raise ClefError(f"{mismatch}; unset RANK, or use `torchrun --nproc-per-node {processes}`")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, os.environ.get(RENDEZVOUS, "env://"), rank=int(rank), world_size=processes)
    try:
        yield Ranks(int(rank), processes)
    except Unfinished:
        dist.barrier()  # rank 0 has released the lease before any process exits
        raise
    finally:
        dist.destroy_process_group()
