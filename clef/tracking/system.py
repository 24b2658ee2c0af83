"""How busy the machine is while it trains, under the names that MLflow's page of system metrics shows."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from clef.tracking.points import Tail

SAMPLE_SECONDS = 10.0
FIRST_SECONDS = 1.0


class System:
    """Processor, memory, disk, network and GPUs of this machine."""

    def __init__(self) -> None:
        psutil.cpu_percent()  # shares are of the time since the call before
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(ImportError, RuntimeError):  # no GPU here
            self._monitors.append(GPUMonitor())
        self._due = time.monotonic() + FIRST_SECONDS

    def sample_when_due(self) -> dict[str, float] | None:
        """A sample by the names of MLflow, if the last is old enough."""
        if time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + SAMPLE_SECONDS
        sample: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            sample |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return sample


def append_sample(path: Path, sample: dict[str, float]) -> None:
    """Append a sample to the file of a training, from which MLflow gets it. They are numbered on after a resume."""
    with open(path, "a+b") as file:
        _end_line(file)
        file.flush()
        _, earlier = Tail(path).read()
        step = earlier[-1]["step"] + 1 if earlier else 1
        file.write((json.dumps({"step": step, "time": time.time(), **sample}) + "\n").encode())


def _end_line(file: BinaryIO) -> None:
    """End a last line that a full disk or a kill cut short: what follows must not become part of it."""
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.write(b"\n")
