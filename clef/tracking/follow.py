"""Keep MLflow up to date during a job, in a child process.

The job starts the child and holds the writing end of its standard input. The child syncs every few seconds until that
pipe closes, syncs once more, and exits. The pipe closes however the job ends, even when the job is killed. The job itself
never imports MLflow, and no failure of MLflow, the network or the child can reach it.
"""

import logging
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from clef.tracking.location import checkout_of
from clef.tracking.record import RUN_RECORD, read_record, records_below, run_folder, sibling

log = logging.getLogger(__name__)

FINISH_SECONDS = 20.0
"""Longest time that the end of a job waits for the last sync."""
UPDATE_SECONDS = 5.0
EXIT_SECONDS = 5.0


@contextmanager
def followed(record: Path) -> Iterator[None]:
    """Sync a record to MLflow while the block runs, and once more at its end.

    If the block fails or is interrupted, the last sync is not waited for.
    """
    command = [sys.executable, "-m", "clef", "track", "follow", str(record.absolute())]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        _warn(record, f"cannot start a process: {error}")
        yield
        return
    try:
        yield
    except BaseException:
        assert child.stdin is not None
        child.stdin.close()
        raise
    if failure := _wait(child):
        _warn(record, failure)


def _wait(child: subprocess.Popen[str]) -> str:
    """Close the pipe and wait for the last sync; return why it is incomplete.

    SIGTERM ends the wait and nothing else: the results are already saved, so the job must not fail now.
    """

    def stop_waiting(number: int, frame: object) -> None:
        raise TimeoutError("interrupted by SIGTERM")

    previous = signal.signal(signal.SIGTERM, stop_waiting)
    try:
        output, _ = child.communicate(timeout=FINISH_SECONDS)
    except subprocess.TimeoutExpired:
        return f"not finished after {FINISH_SECONDS:.0f} s"
    except OSError as error:
        return str(error)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return output.strip() or (f"the sync exited with code {child.returncode}" if child.returncode else "")


def _warn(record: Path, failure: str) -> None:
    run = run_folder(record).name
    log.warning(
        "tracking: MLflow does not show all of %s of %s (%s); its files are complete: run `clef track sync %s` later",
        record.name.split(".")[0],
        run,
        failure,
        run,
    )


def follow(record: Path, pipe: TextIO) -> str | None:
    """Sync a record until the pipe closes, then once more. Runs in the child process.

    Args:
        record: Path of the record of a training; or of a whole run, whose trainings are then synced as well.
        pipe: Never written to; it closes when the job ends.

    Returns:
        Why the last sync is incomplete; None if it is complete.
    """
    from clef.tracking.store import Store
    from clef.tracking.sync import RunSync
    from clef.tracking.system_metrics import SystemSampler

    store = Store(checkout_of(record))
    training, sampler = RunSync(store, record), SystemSampler(sibling(record, ".system.jsonl"))
    while not select.select([pipe], [], [], UPDATE_SECONDS)[0]:
        found = read_record(record)
        if found is not None and found.status == "running":
            with suppress(OSError):  # a full disk stops the training itself
                sampler.append()
            training.try_update()
    found = read_record(record)
    if found is not None and found.status == "running":
        with suppress(psutil.Error):  # the pipe of a killed process closes shortly before the process is gone
            psutil.Process(found.process.pid).wait(EXIT_SECONDS)
    others = [path for path in records_below(record.parent) if path != record] if record.name == RUN_RECORD else []
    for run in (*(RunSync(store, path) for path in others), training):
        if (failure := run.try_update()) is not None:
            return failure
    return None
