"""The record of one tracked unit, a training or a whole run: everything MLflow is to know of it besides its numbers.

A record is a JSON file beside the files it belongs to (`finetune.track.json`, `run.track.json`). It is written whether
or not there is an MLflow, and MLflow is made to agree with it: the file is the record, MLflow a view.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from clef.runtime.files import write_text
from clef.runtime.process import is_running, mark, own_start

RECORD_SUFFIX = ".track.json"
RUN_RECORD = f"run{RECORD_SUFFIX}"

Status = Literal["running", "finished", "failed", "stopped"]
"""`failed` by an error, `stopped` by ctrl-C; `running` is also what a killed training leaves behind."""


@dataclass(frozen=True)
class Unit:
    """What makes a run in MLflow.

    `key` and `code` identify it: the same training by the same code is one run, however often it was interrupted.
    """

    experiment: str
    name: str
    key: str
    code: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Data:
    """The data set that a unit was computed from."""

    name: str
    digest: str
    """Begins the SHA-256 of the manifest."""
    source: str
    """Path of the manifest."""


@dataclass(frozen=True)
class Process:
    """Who works on a unit, precise enough to tell later whether it still does."""

    host: str
    number: int
    started: float
    mark: str = ""
    """See `clef.runtime.process.mark`."""

    @classmethod
    def own(cls) -> "Process":
        """The calling process."""
        return cls(socket.gethostname(), os.getpid(), own_start(), mark())

    def died(self) -> bool:
        """Whether it is known to have ended; of another host nothing is known."""
        return self.host == socket.gethostname() and not is_running(self.number, self.started, self.mark)


@dataclass(frozen=True)
class Record:
    """One tracked unit. Times are seconds since the epoch."""

    unit: Unit
    parent: Unit | None
    data: Data | None
    process: Process
    started: float
    status: Status = "running"
    ended: float | None = None
    steps: int | None = None
    """Steps of the training in all."""
    results: Mapping[str, str] = field(default_factory=dict)
    """Hash of each file of results that belongs to the unit, by its name."""

    def write(self, path: Path) -> None:
        """Write the record whole."""
        write_text(path, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    @property
    def interrupted(self) -> bool:
        """Whether it says `running` of a process that has ended."""
        return self.status == "running" and self.process.died()


def read_record(path: Path) -> Record | None:
    """The record in a file, or None where there is none, or one of another version."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        units = {name: plain[name] and Unit(**plain[name]) for name in ("unit", "parent")}
        data = plain["data"] and Data(**plain["data"])
        return Record(**{**plain, **units, "data": data, "process": Process(**plain["process"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def run_folder(target: Path) -> Path:
    """Folder of the run that an output of `results/{run}/seed{s}/fold{k}/` belongs to; its own, outside of such."""
    fold = target.absolute().parent
    laid_out = fold.name.startswith("fold") and fold.parent.name.startswith("seed")
    return fold.parents[1] if laid_out else fold


def record_path(target: Path) -> Path:
    """Where the record of a training lies: beside its weights."""
    return target.with_suffix(RECORD_SUFFIX)


def sibling(record: Path, suffix: str) -> Path:
    """A file of the same training, as `finetune.metrics.jsonl` beside `finetune.track.json`."""
    return record.with_name(record.name.removesuffix(RECORD_SUFFIX) + suffix)


def records_below(folder: Path) -> list[Path]:
    """The records of the trainings of a run in the order they were started, then that of the run itself."""
    own = folder / RUN_RECORD
    found = [(read_record(path), path) for path in folder.rglob(f"*{RECORD_SUFFIX}") if path != own]
    trainings = sorted((record.started, path) for record, path in found if record is not None)
    return [*(path for _, path in trainings), *([own] if own.exists() else [])]


def as_plain(value: Any) -> str:
    """A parameter's value as short text."""
    if isinstance(value, list | tuple):
        return " ".join(as_plain(item) for item in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    return "none" if value is None else str(value)
