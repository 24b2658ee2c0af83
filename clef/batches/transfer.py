"""Copies to the device that do not stop this process."""

import torch
from torch import Tensor


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy values from the CPU without waiting for what is queued on a GPU."""
    if device.type == "cuda":
        values = values.pin_memory()  # does nothing if it is pinned
    return values.to(device, non_blocking=True)
