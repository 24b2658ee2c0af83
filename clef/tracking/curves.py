"""Read the points of curves from the JSON-lines files that trainings append to."""

import json
from collections.abc import Iterator
from pathlib import Path

from mlflow.entities import Metric


def read_points(path: Path) -> Iterator[Metric]:
    """The points of a file whose lines have `step`, `time` (seconds) and values.

    Incomplete lines are skipped: one that is still being written, or one that a full disk or a crash cut short.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n"):
        try:
            values = json.loads(line)
            step, time = values.pop("step"), values.pop("time")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if isinstance(step, int) and isinstance(time, int | float):
            for name, value in values.items():
                if isinstance(value, int | float):
                    yield Metric(name, float(value), int(time * 1000), step)


def checkpoint_step(work: Path, key: str) -> int:
    """Step of the recovery checkpoint in a work folder; a resume never repeats the steps up to it."""
    try:
        return int((work / "step").read_text()) if (work / "key").read_text() == key else 0
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
