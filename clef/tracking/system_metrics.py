"""Sample how busy the machine is while it trains, under the metric names that MLflow's system page expects."""

import json
import time
from contextlib import suppress
from pathlib import Path

import psutil
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from clef.tracking.curves import read_points


class SystemSampler:
    """Append samples to the file of one training; a resumed training continues their numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._step = max((point.step for point in read_points(path)), default=0)
        psutil.cpu_percent()  # each call reports the use since the previous one
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(ImportError, RuntimeError):  # no NVIDIA GPU
            self._monitors.append(GPUMonitor())

    def append(self) -> None:
        """Take a sample and append it."""
        self._step += 1
        sample: dict[str, float] = {"step": self._step, "time": time.time()}
        for monitor in self._monitors:
            monitor.collect_metrics()
            sample |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(sample)}\n")  # the first newline ends a line that a full disk cut short
