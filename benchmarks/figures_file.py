"""Write measured figures to a JSON file, together with the machine."""

import json
import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "torchvision", "open_clip_torch", "timm", "opencv-python-headless", "retinaface-pytorch")


def machine() -> dict[str, Any]:
    """Describe this machine."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    versions = {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES}
    return {"gpu": gpu, "processor": _processor(), "cores": os.cpu_count(), **versions}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str | None:
    """Model of the processor; None if the system does not say it as Linux does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def write_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write figures, the running command, without the folders of absolute paths, and this machine."""
    module = sys.modules["__main__"].__spec__
    arguments = [Path(given).name if Path(given).is_absolute() else given for given in sys.argv[1:]]
    command = shlex.join(["python", "-m", module.name if module else sys.argv[0], *arguments])
    content = {"command": command, "machine": machine(), "figures": figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
