"""Read the points of curves from the JSON-lines files that trainings append to."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Point:
    """One value of one metric; `time` in milliseconds since the epoch, as in MLflow."""

    name: str
    value: float
    step: int
    time: int


class GrowingFile:
    """A file of JSON lines, each with `step` and `time`, read bit by bit while another process appends to it.

    A resumed training replaces the file by a shorter one; it is then read from the start again. Lines that a full disk
    or a crash damaged are skipped, so that they cost only their own points.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode: int | None = None
        self._offset = 0

    def read(self) -> tuple[bool, list[dict[str, Any]]]:
        """Read the complete lines added since the last call.

        Returns:
            Whether the file was replaced, and the parsed lines.
        """
        try:
            with open(self.path, "rb") as file:
                # Not `path.stat()`: a resumed training may rename another file to this path at this moment.
                status = os.fstat(file.fileno())
                replaced = status.st_ino != self._inode or status.st_size < self._offset
                if replaced:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            replaced, self._inode, self._offset = self._inode is not None, None, 0
            return replaced, []
        complete = new[: new.rfind(b"\n") + 1]
        self._offset += len(complete)
        lines = [_parse(line) for line in complete.split(b"\n")]
        return replaced, [line for line in lines if line is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    """Parse a line; None if it is damaged."""
    try:
        found = json.loads(line)
        valid = isinstance(found["step"], int) and isinstance(found["time"], int | float)
    except (ValueError, KeyError, TypeError):
        return None
    return found if valid else None


def points_of(line: dict[str, Any]) -> Iterator[Point]:
    """The points of one parsed line."""
    for name, value in line.items():
        if name not in ("step", "time") and isinstance(value, int | float):
            yield Point(name, float(value), int(line["step"]), int(line["time"] * 1000))


def checkpoint_step(work: Path, key: str) -> int:
    """Step of the recovery checkpoint in a work folder; a resume never repeats the steps up to it."""
    try:
        return int((work / "step").read_text()) if (work / "key").read_text() == key else 0
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
