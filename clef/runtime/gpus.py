"""Count the GPUs of a machine and claim some of them, without importing torch."""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from clef.errors import ClefError

NO_GPU = "cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"
DRIVER = Path("/proc/driver/nvidia/gpus")
"""NVIDIA's driver for Linux lists the GPUs here."""

_claims: list[FileLock] = []
"""Locks of this process. The system drops them when the process ends, however it ends."""


def require_cuda() -> None:
    """Raise a ClefError if torch sees no GPU, so that a workflow fails before its first training."""
    script = "import torch; print('GPU' if torch.cuda.is_available() else 'none')"
    check = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if check.returncode:
        reason = (check.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ClefError(f"device: cuda asked for, but torch cannot be imported ({reason}); reinstall it")
    if check.stdout.split()[-1:] != ["GPU"]:
        raise ClefError(f"device: {NO_GPU}")


def gpus_here() -> int:
    """Count the GPUs this process may use: those of `CUDA_VISIBLE_DEVICES` if set, else all of the machine."""
    return len(_visible())


def claim_gpus(number: int) -> None:
    """Limit `CUDA_VISIBLE_DEVICES` to GPUs that no other process of CLEF on this machine has claimed.

    Snakemake starts as many jobs as there are GPUs but assigns none to them. Nothing is claimed where every visible
    GPU is needed, or where the machine has only one, which users may share.
    """
    gpus, listed = _visible(), "CUDA_VISIBLE_DEVICES" in os.environ
    if number > max(len(gpus), 1):
        raise ClefError(f"gpus: {number} asked for, {len(gpus)} available; lower `gpus`, or use a larger machine")
    if len(gpus) < 2 or (listed and len(gpus) == number):
        return
    # SLURM may number the GPUs of every job from 0.
    owner = f"{socket.gethostname()}-{os.environ.get('SLURM_JOB_ID', '') if listed else ''}"
    claimed: dict[str, FileLock] = {}
    for gpu in gpus:
        path = Path(tempfile.gettempdir(), f"clef-gpu-{owner}-{quote(gpu, safe='')}.lock")
        lock = FileLock(path, mode=0o666)  # other users must be able to open it
        if len(claimed) < number:
            with suppress(Timeout, OSError):  # OSError: a file of another user that cannot be opened
                lock.acquire(blocking=False)
                claimed[gpu] = lock
    if len(claimed) < number:
        for lock in claimed.values():
            lock.release()
        raise ClefError(
            f"gpus: {number} asked for, {len(claimed)} of the {len(gpus)} here are free; "
            "wait for a training to end, or choose GPUs with CUDA_VISIBLE_DEVICES"
        )
    _claims.extend(claimed.values())
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(claimed)


def _visible() -> list[str]:
    """Numbers or names of the GPUs. CUDA reads `CUDA_VISIBLE_DEVICES` up to the first invalid entry, such as -1."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number, _ in enumerate(DRIVER.glob("*"))]
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    return list(takewhile(lambda name: not name.startswith("-"), names))
