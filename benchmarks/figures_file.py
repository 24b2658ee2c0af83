"""Write measured figures to a JSON file, together with the machine."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """Describe this machine."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}


def write_figures(path: Path, command: str, figures: dict[str, Any]) -> None:
    """Write figures, the command that measured them, and this machine."""
    content = {"command": command, "machine": machine(), "figures": figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
