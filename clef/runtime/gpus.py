"""Which GPUs there are and which of them a process takes, without importing torch."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import IO
from urllib.parse import quote

from clef.errors import ClefError
from clef.runtime.process import mark

NO_GPU = "cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver for Linux lists a machine's GPUs."""

_claims: list[IO[bytes]] = []
"""Locks of this process; the system drops them when it ends, however it ends."""

_QUESTION = "import torch; print('GPU' if torch.cuda.is_available() else 'none')"


def require_cuda(key: str = "device") -> None:
    """Refuse to start what would fail at its first training, hours later.

    Args:
        key: The params key that asks for cuda.

    Raises:
        ClefError: torch sees no GPU, or cannot be imported.
    """
    asked = subprocess.run([sys.executable, "-c", _QUESTION], capture_output=True, text=True, check=False)
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ClefError(f"{key}: cuda asked for, but torch cannot be imported ({reason}); install it anew")
    if asked.stdout.split()[-1:] != ["GPU"]:
        raise ClefError(f"{key}: {NO_GPU}")


def gpus_here(driver: Path = DRIVER) -> int:
    """How many GPUs this process may use: those of `CUDA_VISIBLE_DEVICES` where that is set, else the machine's."""
    listed = _listed()
    return len(list(driver.glob("*")) if listed is None else listed)


def claim_gpus(number: int, driver: Path = DRIVER, locks: Path | None = None) -> None:
    """Take GPUs that no other process of CLEF on this machine has taken, for as long as this process lives.

    Snakemake starts as many jobs as there are GPUs and does not say which is whose. Where a scheduler or a user has
    chosen, through `CUDA_VISIBLE_DEVICES`, it is among those: a GPU goes by what it is called there, and one that is
    called by its number in one shell and by its name in another is two. Nothing is taken where there are as many as
    asked for, nor where there is one GPU, which a user may want to share.

    Args:
        number: How many.
        driver: Lists the machine's GPUs.
        locks: Folder of the lock files, one for all users of a machine; that for temporary files if None.

    Raises:
        ClefError: There are not as many, or others have taken them.
    """
    here, listed = gpus_here(driver), _listed()
    if number > max(here, 1):
        raise ClefError(f"gpus: {number} asked for, {here} here; lower `gpus`, or run where there are as many")
    if here < 2 or (listed is not None and here == number):
        return
    folder = locks or Path(tempfile.gettempdir())
    taken: dict[str, IO[bytes]] = {}
    for gpu in map(str, range(here)) if listed is None else listed:
        if len(taken) < number and (lock := _lock(folder / _lock_name(gpu, listed is not None))) is not None:
            taken[gpu] = lock
    if len(taken) < number:
        for lock in taken.values():
            lock.close()
        raise ClefError(
            f"gpus: {number} asked for, {len(taken)} of the {here} here are not in use by CLEF; "
            "wait for a training to end, or choose by CUDA_VISIBLE_DEVICES"
        )
    _claims.extend(taken.values())
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)


def _listed() -> list[str] | None:
    """GPUs of `CUDA_VISIBLE_DEVICES`, by number or by a name like `GPU-8932f937`; None where it is not set.

    CUDA reads no further than the first that there cannot be, such as -1.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return None
    named = [name.strip() for name in chosen.split(",") if name.strip()]
    return list(takewhile(lambda name: not name.startswith("-"), named))


def _lock_name(gpu: str, listed: bool) -> str:
    """The lock file of a GPU: its machine's, since several may share the folder.

    A job of SLURM has locks of its own for what is listed for it: nobody else has these GPUs, and in every job SLURM
    may count them from 0.
    """
    machine = mark().partition(":")[0]  # its boot, which containers have in common
    job = os.environ.get("SLURM_JOB_ID") if listed else None
    owner = machine if job is None else f"{machine}-job{quote(job, safe='')}"
    return f"clef-{owner}-gpu{quote(gpu, safe='')}.lock"


def _lock(path: Path) -> IO[bytes] | None:
    """An exclusive lock, or None where another process has it.

    The file is another user's where that one came first. A lock needs no right to write, and no link is followed: the
    folder is everybody's. What cannot be opened counts as taken.
    """
    try:
        file = os.fdopen(_open(path), "rb")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP):
            return None
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open(path: Path) -> int:
    """Open a lock file to read, and make it where there is none.

    Not in one call: in a folder like /tmp Linux may refuse to open another's file with the wish to make it.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(file, 0o644)  # whatever this user's umask: others must be able to open it
            return file
