"""The processes of one training: each has its share of a batch, and all of them the loss of the whole batch.

The features of a batch are gathered before the losses, so that every contrast is with the whole batch and nothing of
a loss knows of ranks. What comes of it is the gradient of one process that has the batch to itself.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clef.errors import ClefError
from clef.model.tasks import Task
from clef.training.ranks.batch_norm import synchronise_batch_norm
from clef.training.ranks.launch import RENDEZVOUS

WAIT = timedelta(minutes=30)
"""How long one process waits for another, as for the checkpoint that rank 0 writes, before it takes it for dead."""


@dataclass(frozen=True)
class Ranks:
    """Who this process is among those of its training."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that alone writes, tracks and speaks."""
        return self.rank == 0

    def share(self, positions: np.ndarray) -> np.ndarray:
        """This rank's part of a batch (or of anything else): parts are disjoint, and in order are the whole.

        Raises:
            ClefError: There is nothing for some rank.
        """
        if len(positions) < self.world:
            raise ClefError(f"gpus: {self.world} processes cannot share {len(positions)} images; ask for fewer gpus")
        return np.array_split(positions, self.world)[self.rank]

    def share_of_step(self, batch: Callable[[int], np.ndarray], step: int) -> np.ndarray:
        """This rank's part of a step's batch. Unlike a closure, it can be sent to processes that decode."""
        return self.share(batch(step))

    def gathering(self, whole: int) -> Callable[[Tensor], Tensor]:
        """A function that makes the features of a whole batch, `(whole, dim)`, of each rank's share of them."""
        if self.world == 1:
            return lambda features: features
        sizes = [len(part) for part in np.array_split(np.arange(whole), self.world)]
        return lambda features: _Gather.apply(features, sizes, self.rank)

    def collect(self, share: np.ndarray) -> np.ndarray:
        """Shares of all ranks, joined in order along the first axis, on every rank."""
        if self.world == 1:
            return share
        own = torch.from_numpy(np.ascontiguousarray(share))
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world)]
        dist.all_gather(lengths, torch.tensor([len(own)]))
        longest = max(int(length) for length in lengths)
        padded = own.new_zeros(longest, *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        return torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)]).numpy()

    def any(self, here: bool, device: torch.device) -> bool:
        """Whether it holds on some rank, on every rank alike."""
        if self.world == 1:
            return here
        flag = torch.tensor(int(here), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag.item())

    def wait(self) -> None:
        """Go on when all ranks have come here."""
        if self.world > 1:
            dist.barrier()

    def wrap(self, task: Task) -> nn.Module:
        """The task as it is called in training: gradients become the mean over ranks, first weights those of rank 0."""
        if self.world == 1:
            return task
        synchronise_batch_norm(task)
        # A part of the model that a run does not use, such as the text tower beside a linear head, has no gradient.
        return DistributedDataParallel(task, find_unused_parameters=True)


ALONE = Ranks()


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks as the environment has them, connected while the block runs.

    Only `RANK` and `WORLD_SIZE` say that there are several: what a scheduler sets, such as `SLURM_NTASKS`, says
    nothing of who started this process. Those that `clef` has started find each other in a file; those that a user has
    started by torchrun, at torchrun's address.

    Raises:
        ClefError: The two do not fit together.
    """
    ranks = ranks_here()
    if ranks.world == 1:
        yield ranks
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", ranks.rank)))
    place = os.environ.get(RENDEZVOUS)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
        timeout=WAIT,
        store=None if place is None else dist.FileStore(place, ranks.world),
        rank=ranks.rank,
        world_size=ranks.world,
    )
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


def ranks_here() -> Ranks:
    """Who this process is, going by `RANK` and `WORLD_SIZE`.

    Raises:
        ClefError: They are no rank and number of ranks.
    """
    if "RANK" not in os.environ:
        return ALONE
    rank, world = os.environ["RANK"], os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdecimal() and world.isdecimal() and int(rank) < int(world)):
        raise ClefError(
            f"RANK={rank} and WORLD_SIZE={world} in the environment: expected a rank below the number of processes, as "
            "torchrun sets both; unset RANK to have `clef` start the processes"
        )
    return Ranks(int(rank), int(world))


class _Gather(torch.autograd.Function):
    """Features of all ranks. Every rank computes the same loss of them, so the gradient needs no communication.

    Each rank's own part of it comes back `world` times as large: the mean over ranks, which is taken of the gradients
    of all parameters, then gives the image tower the sum of what it owes to each rank's images. Parameters that follow
    the gathering, with the same gradient on every rank, keep theirs.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: Sequence[int], rank: int) -> Tensor:
        ctx.sizes, ctx.rank = sizes, rank
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (whole,) = gradients
        start = sum(ctx.sizes[: ctx.rank])
        return whole[start : start + ctx.sizes[ctx.rank]] * len(ctx.sizes), None, None
