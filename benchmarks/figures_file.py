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
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"gpu": gpu, "processor": _processor(), "cores": os.cpu_count(), **versions}


def _processor() -> str | None:
    """Model of the processor; None if the system does not say it as Linux does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def write_figures(path: Path, command: str, figures: dict[str, Any]) -> None:
    """Write figures, the command that measured them, and this machine."""
    content = {"command": command, "machine": machine(), "figures": figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
