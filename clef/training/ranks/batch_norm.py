"""Batch norm over the batches of all ranks together. torch's own `SyncBatchNorm` runs on GPUs alone."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

Reduce = Callable[[Tensor], Tensor]


def synchronise_batch_norm(module: nn.Module) -> None:
    """Have every two-dimensional batch norm in a module take its statistics over all ranks.

    Weights and buffers stay the same objects under the same names. One-dimensional ones are left: they stand in heads,
    which see the gathered batch.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            module.register_module(name, SynchronisedBatchNorm(child))
        else:
            synchronise_batch_norm(child)


class _Total(torch.autograd.Function):
    """Sum over ranks. What each rank has added owes its gradient to the losses of all."""

    @staticmethod
    def forward(ctx: Any, here: Tensor) -> Tensor:
        total = here.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (total,) = (gradient.clone() for gradient in gradients)
        dist.all_reduce(total)
        return total


class SynchronisedBatchNorm(nn.Module):
    """A batch norm, with timm's activation behind it where it has one, over all ranks.

    Args:
        plain: Gives its parameters and buffers.
        total: Sum over ranks, with its gradient.
    """

    def __init__(self, plain: nn.BatchNorm2d, total: Reduce = _Total.apply) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.momentum = plain.weight, plain.bias, plain.eps, plain.momentum
        self.total = total
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(plain, name))
        self.drop = getattr(plain, "drop", nn.Identity())
        self.act = getattr(plain, "act", nn.Identity())
        self.train(plain.training)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise feature maps (batch, channel, height, width)."""
        if not self.training:
            mean, variance = self.running_mean, self.running_var
        else:
            mean, variance = self._moments(images.float())
        factor = (variance + self.eps).rsqrt() * self.weight  # (channel,)
        shift = self.bias - mean * factor
        return self.act(self.drop(images * factor[:, None, None].to(images) + shift[:, None, None].to(images)))

    def _moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel, (channel,), over all ranks' images, and into the running ones."""
        here = images.new_full((1,), images.numel() / images.shape[1])
        # One sum over ranks forwards and one backwards, since each waits for the slowest. Seen from the running mean,
        # so that the difference of the squares keeps its digits.
        origin = self.running_mean.clone()
        seen = images - origin[:, None, None]
        sums = self.total(torch.cat([seen.sum(dim=(0, 2, 3)), seen.square().sum(dim=(0, 2, 3)), here]))
        count = sums[-1].detach()
        offset, squares = sums[:-1].view(2, -1) / count
        mean, variance = origin + offset, (squares - offset.square()).clamp(min=0)
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean += share * (mean - self.running_mean)
            self.running_var += share * (variance * count / (count - 1) - self.running_var)
        return mean, variance
