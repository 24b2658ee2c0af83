"""Records of trainings and of whole runs: everything that MLflow shows of them except their metrics.

A record is a JSON file beside the files it describes (`finetune.track.json`, `run.track.json`). It is always written,
with or without MLflow. A sync makes MLflow agree with it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from clef.runtime.files import write_text
from clef.runtime.paths import seed_and_fold

RECORD_SUFFIX = ".track.json"
RUN_RECORD = f"run{RECORD_SUFFIX}"

Status = Literal["running", "finished", "failed", "stopped"]
"""`stopped`: by ctrl-C, SIGTERM or a time budget. A killed training leaves `running` behind."""


@dataclass(frozen=True)
class RunDescription:
    """What MLflow shows of a run from the start. `key` and `code` identify it, also after interruptions."""

    experiment: str
    name: str
    key: str
    code: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """One training or one whole run. Times are seconds since the epoch."""

    run: RunDescription
    parent: RunDescription | None
    manifest: str
    """Path of the manifest."""
    manifest_hash: str
    started: float
    resumed: float
    """When the last process started or resumed it."""
    status: Status = "running"
    ended: float | None = None
    steps: int | None = None
    """Number of steps of the whole training."""
    results: Mapping[str, str] = field(default_factory=dict)
    """Name and SHA-256 of each result file. A file with another hash is left over from an older training."""

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


def read_record(path: Path) -> Record | None:
    """Read a record; None if the file is missing, damaged or from another version of the package."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        runs = {name: plain[name] and RunDescription(**plain[name]) for name in ("run", "parent")}
        return Record(**{**plain, **runs})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record_path(target: Path) -> Path:
    """Path of the record of a training, beside its weights."""
    return target.with_suffix(RECORD_SUFFIX)


def sibling(record: Path, suffix: str) -> Path:
    """Another file of the same training, such as `finetune.metrics.jsonl` beside `finetune.track.json`."""
    return record.with_name(record.name.removesuffix(RECORD_SUFFIX) + suffix)


def run_folder(target: Path) -> Path:
    """Folder of the run that a file in `results/{run}/` or `results/{run}/seed{s}/fold{k}/` belongs to."""
    folder = target.absolute().parent
    return folder.parents[1] if folder.match(str(seed_and_fold("*", "*"))) else folder


def records_below(folder: Path) -> list[Path]:
    """Paths of the records of a run's trainings, in the order in which they started, then of the run's own record."""
    own = folder / RUN_RECORD
    found = [(read_record(path), path) for path in folder.rglob(f"*{RECORD_SUFFIX}") if path != own]
    trainings = sorted((record.started, path) for record, path in found if record is not None)
    return [*(path for _, path in trainings), *([own] if own.exists() else [])]
