"""The device of a run, and how it computes."""

import ctypes
import os

import torch

from clef.errors import ClefError
from clef.params.schema import Params
from clef.runtime.gpus import NO_GPU

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def prepare_device(params: Params) -> torch.device:
    """Set threads and determinism, and return the device that the params ask for.

    Raises:
        ClefError: The params ask for cuda, and torch sees no GPU.
    """
    if params.device == "cuda" and not torch.cuda.is_available():
        raise ClefError(f"device: {NO_GPU}")
    torch.set_num_threads(params.threads)
    if params.device == "cpu":
        _keep_freed_memory()
    if params.device == "cpu" or params.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        # Filling uninitialised memory takes a tenth of a small model's time, and nothing here reads such memory.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if params.device == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(params.device)


def _keep_freed_memory() -> None:
    """Make glibc reuse the memory of a step in the next one, instead of returning it to the system and asking again.

    The system clears every page that it hands out, which takes a tenth of a small model's training.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_MMAP_THRESHOLD, 2**25)  # bytes, the largest that glibc accepts
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def autocast(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 on CUDA, and in float32 on a CPU."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def describe_device(device: torch.device) -> str:
    """Return a text such as `cuda (NVIDIA A100)` or `cpu (4 threads)`."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"
