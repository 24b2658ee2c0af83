"""Have a record followed: start the follower if there is none, and give it a bounded time at the end."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clef.runtime.files import file_hash
from clef.tracking.desk import Desk
from clef.tracking.place import checkout_of
from clef.tracking.record import run_folder

log = logging.getLogger(__name__)

FINISH_SECONDS = 20.0
"""How long the end of a training waits for MLflow at most."""
GLANCE_SECONDS = 0.1
"""How often it looks for the answer meanwhile."""
START_SECONDS = 5.0
"""How long a follower may take until it is at its desk."""

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@contextmanager
def followed(record: Path) -> Iterator[None]:
    """Have MLflow follow a record while the block runs.

    Nothing that happens to the follower reaches the block. After it, MLflow is waited for, but not for long; what it
    lacks then is told in one line. When the block is interrupted, nothing is waited for.
    """
    desk = Desk(checkout_of(record))
    try:
        desk.ask(record)
        _start_unless_there(desk)
    except OSError as error:
        _tell(record, f"cannot start a process for it: {error}")
        yield
        return
    try:
        yield
    except Exception:
        _finish(desk, record)
        raise
    _finish(desk, record)


def _finish(desk: Desk, record: Path) -> None:
    try:
        lacking = _wait(desk, record)
    except OSError as error:
        lacking = str(error)
    if lacking is not None:
        _tell(record, lacking)


def _wait(desk: Desk, record: Path) -> str | None:
    """Wait until the follower has answered for the record as it is now; what is lacking then."""
    if not record.exists():
        return None
    wanted = file_hash(record)
    began = looked = time.monotonic()
    desk.ask(record)
    while (now := time.monotonic()) - began < FINISH_SECONDS:
        answer = desk.answered(record)
        if answer is not None and answer.record == wanted:
            return answer.failure
        if now - looked >= START_SECONDS:
            looked = now
            _start_unless_there(desk)
        time.sleep(GLANCE_SECONDS)
    return f"no answer within {FINISH_SECONDS:.0f} s"


def _start_unless_there(desk: Desk) -> None:
    if not desk.attended():
        subprocess.Popen(
            [sys.executable, "-m", "clef", "track", "follow"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=desk.checkout,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )


def _tell(record: Path, lacking: str) -> None:
    run = run_folder(record).name
    log.warning(
        "tracking: MLflow lacks part of %s of %s (%s); the files have all of it: clef track sync %s",
        record.name.split(".")[0],
        run,
        lacking,
        run,
    )
