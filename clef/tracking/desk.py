"""Where trainings ask for a follower and the follower answers: small files below `results/.mlflow/`.

There is one desk, and at most one follower, for each host, store and, under SLURM, job: importing MLflow takes seconds
of a processor, too many to spend them for every training.
"""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from clef.runtime.files import write_text

URI_VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Answer:
    """What the follower said last about a record."""

    record: str
    """Hash of the record it read."""
    failure: str | None
    """What MLflow still lacks it for, in a few words; None if it has everything that is final."""


class Desk:
    """The desk of this host, store and job.

    Args:
        checkout: The folder that the project runs in.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout.absolute()
        job = os.environ.get("SLURM_JOB_ID", "")
        of_store = hashlib.sha256(os.environ.get(URI_VARIABLE, "").encode()).hexdigest()[:8]
        self.folder = (
            self.checkout / "results" / ".mlflow" / "-".join(filter(None, (socket.gethostname(), job, of_store)))
        )
        self._lock = FileLock(self.folder / "follower.lock")

    def ask(self, record: Path) -> None:
        """Put a record, or the folder of a run, on the desk."""
        write_text(self._file(record, "ask"), str(record.absolute()))

    def asked(self) -> list[Path]:
        """All that was asked for."""
        return [Path(file.read_text(encoding="utf-8")) for file in sorted(self.folder.glob("*.ask"))]

    def answer(self, record: Path, answer: Answer) -> None:
        """Say how far a record is in MLflow."""
        write_text(self._file(record, "answer"), json.dumps(asdict(answer)))

    def answered(self, record: Path) -> Answer | None:
        """The last answer, if there is one."""
        try:
            return Answer(**json.loads(self._file(record, "answer").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def clear(self, record: Path) -> None:
        """Take a record off the desk."""
        for kind in ("ask", "answer"):
            self._file(record, kind).unlink(missing_ok=True)

    @contextmanager
    def attend(self) -> Iterator[bool]:
        """Be the follower while the block runs; False where another is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=1)  # one who asks whether it is attended holds it for a moment
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            self._lock.release()

    def attended(self) -> bool:
        """Whether a follower is there."""
        if not self.folder.exists():
            return False
        try:
            with self._lock.acquire(blocking=False):
                return False
        except Timeout:
            return True

    def _file(self, record: Path, kind: str) -> Path:
        name = hashlib.sha256(str(record.absolute()).encode()).hexdigest()[:16]
        return self.folder / f"{name}.{kind}"
