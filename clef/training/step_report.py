"""The figures of each step, read one step late so that a GPU never waits for this process."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from clef.errors import ClefError


@dataclass(frozen=True)
class _Queued:
    """A step whose scalars may not be computed yet."""

    step: int
    names: list[str]
    values: Tensor
    """On the CPU. On CUDA, they are valid once `copied` has passed."""
    copied: torch.cuda.Event | None
    figures: dict[str, float]


class StepReport:
    """Reports each step when the next one has been queued on the device.

    Args:
        device: Where the scalars are computed.
        write: Called with the number of steps done, and their figures.
    """

    def __init__(self, device: torch.device, write: Callable[[int, dict[str, float]], None]) -> None:
        self._device = device
        self._write = write
        self._queued: _Queued | None = None
        self._last = time.monotonic()

    def add(
        self,
        step: int,
        losses: Mapping[str, Tensor],
        loss: Tensor,
        norm: Tensor,
        figures: dict[str, float],
        images: int,
        waited: float,
    ) -> None:
        """Queue the figures of a step, counted from 0, and report the step before it.

        Args:
            step: The step.
            losses: Its named losses.
            loss: Their sum.
            norm: Norm of the gradient.
            figures: What is known already.
            images: Number of images in its batch.
            waited: Seconds that this process waited for them.

        Raises:
            ClefError: A loss or the gradient of the step before is not finite.
        """
        scalars = {**losses, "loss": loss, "gradient_norm": norm}
        values = torch.stack([scalar.detach().float() for scalar in scalars.values()])
        copied = None
        if self._device.type == "cuda":
            arrived = torch.empty(values.shape, pin_memory=True)
            arrived.copy_(values, non_blocking=True)
            values, copied = arrived, torch.cuda.Event(blocking=True)
            copied.record()
        self.flush()
        now = time.monotonic()
        seconds, self._last = max(now - self._last, 1e-9), now
        speeds = {"speed/images_per_second": images / seconds, "speed/share_waiting_for_images": waited / seconds}
        self._queued = _Queued(step, list(scalars), values, copied, figures | speeds)

    def restart(self) -> None:
        """Count the time of the next step from now on, after something else than training."""
        self._last = time.monotonic()

    def flush(self) -> None:
        """Report the queued step, if there is one. Afterwards the weights are known to be finite.

        Raises:
            ClefError: A loss or the gradient is not finite.
        """
        if self._queued is None:
            return
        queued, self._queued = self._queued, None
        if queued.copied is not None:
            queued.copied.synchronize()
        values = dict(zip(queued.names, queued.values.tolist(), strict=True))
        _require_finite(queued.step, values)
        self._write(queued.step + 1, {f"train/{name}": value for name, value in values.items()} | queued.figures)


def _require_finite(step: int, values: Mapping[str, float]) -> None:
    *losses, (_, loss), (_, norm) = values.items()
    if not math.isfinite(loss):
        parts = ", ".join(f"{name} {value:g}" for name, value in losses)
        raise ClefError(f"step {step}: loss is not finite ({parts}); lower the learning rate")
    if not math.isfinite(norm):
        raise ClefError(f"step {step}: gradient is not finite (norm {norm:g}, loss {loss:g}); lower the learning rate")
