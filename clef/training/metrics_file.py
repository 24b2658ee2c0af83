"""The metrics of a training: one JSON object per line and step, beside the weights. MLflow gets them from here."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clef.runtime.files import write_text


class MetricsFile:
    """A file of metrics, created at the first record."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, values: Mapping[str, Any]) -> None:
        """Write one record: `step`, `time` (seconds since the epoch) and the values."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Read all complete records; a kill may have cut off the last line."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def cut_back(self, step: int) -> None:
        """Drop the records after `step`, which a resumed training writes again."""
        if self.path.exists():
            kept = [record for record in self.read() if record["step"] <= step]
            write_text(self.path, "".join(json.dumps(record) + "\n" for record in kept))
