"""Whether there is a GPU, for a process that must not import torch: it asks another one."""

import subprocess
import sys

from clef.errors import ClefError

NO_GPU = "cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`"

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
