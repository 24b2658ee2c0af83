"""Points of curves, read from the files that trainings write. A point is final when no resume can write it again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Point:
    """One value of one metric. `time` in milliseconds since the epoch, as MLflow counts."""

    name: str
    value: float
    step: int
    time: int


class Tail:
    """New records of a growing file of JSON lines, each with `step` and `time`.

    A resumed training replaces the file by its beginning: then everything is read again. A line that a full disk or a
    lost machine tore is left out: one point less must not cost all others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._offset = 0

    def read(self) -> tuple[bool, list[dict[str, Any]]]:
        """Whether the file was replaced, and the whole lines since the last call."""
        try:
            with open(self.path, "rb") as file:
                status = self.path.stat()
                replaced = status.st_ino != self._file or status.st_size < self._offset
                if replaced:
                    self._file, self._offset = status.st_ino, 0
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            replaced, self._file, self._offset = self._file is not None, None, 0
            return replaced, []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = [_record(line) for line in whole.split(b"\n")]
        return replaced, [record for record in found if record is not None]


def _record(line: bytes) -> dict[str, Any] | None:
    """The record in a line; None where it holds something else."""
    try:
        found = json.loads(line)
        numbered = isinstance(found["step"], int) and isinstance(found["time"], int | float)
    except (ValueError, KeyError, TypeError):
        return None
    return found if numbered else None


def points(record: dict[str, Any]) -> Iterator[Point]:
    """The points of one line."""
    for name, value in record.items():
        if name not in ("step", "time") and isinstance(value, int | float):
            yield Point(name, float(value), int(record["step"]), int(record["time"] * 1000))


def committed_step(work: Path, key: str) -> int:
    """The step of the recovery checkpoint in a work folder: what lies before it is never trained again."""
    try:
        if (work / "key").read_text() != key:
            return 0
        return int((work / "step").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
