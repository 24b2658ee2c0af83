"""Count the GPUs of a machine and claim some of them, without importing torch."""

import os
import socket
import tempfile
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from clef.errors import ClefError

NO_GPU = "cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"
DRIVER = Path("/proc/driver/nvidia/gpus")  # NVIDIA's driver for Linux lists the GPUs here
_claims: list[FileLock] = []  # the system drops them when the process ends, however it ends


def claim_gpus(number: int) -> None:
    """Limit `CUDA_VISIBLE_DEVICES` to GPUs that no other process of CLEF on this machine has claimed.

    Snakemake starts as many jobs as there are GPUs but assigns none to them. Nothing is claimed where every visible
    GPU is needed, or where the machine has only one, which users may share.
    """
    gpus, listed = visible_gpus(), "CUDA_VISIBLE_DEVICES" in os.environ
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


def visible_gpus() -> list[str]:
    """List this machine's GPUs, or those of `CUDA_VISIBLE_DEVICES` up to the first invalid entry, such as -1."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number, _ in enumerate(DRIVER.glob("*"))]
    return list(takewhile(lambda name: not name.startswith("-"), filter(None, map(str.strip, chosen.split(",")))))
