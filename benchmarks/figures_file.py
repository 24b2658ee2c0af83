"""Where measured figures are kept: a JSON file with the machine that they are of."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """What a figure means nothing without."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}


def write_figures(path: Path, command: str, figures: dict[str, Any]) -> None:
    """Write figures, the command that measured them, and the machine."""
    content = {"command": command, "machine": machine(), "figures": figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
