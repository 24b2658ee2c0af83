"""Keep MLflow up to date during a job, in a child process.

The job holds the writing end of the child's standard input. The child syncs every few seconds until that pipe closes,
which happens even when the job is killed, and then once more. The job itself never imports MLflow, and no failure of
MLflow, the network or the child can reach it.
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

from clef.errors import ClefError
from clef.runtime.lease import holder_of
from clef.tracking.location import find_checkout
from clef.tracking.record import RUN_RECORD, read_record, records_below, run_folder, sibling

log = logging.getLogger(__name__)

FINISH_SECONDS = 20.0
"""Longest time that the end of a job waits for the last sync."""
UPDATE_SECONDS = 5.0


@contextmanager
def followed(record: Path) -> Iterator[None]:
    """Sync a record to MLflow while the block runs, and wait for a last sync unless the block fails."""
    command = [sys.executable, "-m", "clef", "track", "follow", str(record.absolute())]
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
    except OSError as error:
        log.warning("tracking: cannot start a process for %s: %s", record, error)
        yield
        return
    try:
        yield
    except BaseException:
        assert child.stdin is not None
        child.stdin.close()
        raise
    if failure := _wait(child):
        job, run = record.name.split(".")[0], run_folder(record).name
        log.warning("tracking: MLflow lacks part of %s of %s (%s); run: clef track sync %s", job, run, failure, run)


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


def follow(record: Path, pipe: TextIO) -> str | None:
    """Sync a record until the pipe closes, then once more. This runs in the child process.

    The last sync of the record of a whole run includes its trainings. Returns why it is incomplete; None if it is not.
    """
    from clef.tracking.store import Store
    from clef.tracking.sync import RunSync, sync_records
    from clef.tracking.system_metrics import SystemSampler

    try:
        store = Store(find_checkout(record))
    except ClefError as error:
        return str(error)
    sampler = SystemSampler(sibling(record, ".system.jsonl"))
    run = RunSync(store, record)
    while not select.select([pipe], [], [], UPDATE_SECONDS)[0]:
        found = read_record(record)
        if found is not None and found.status == "running":
            with suppress(OSError):  # a full disk stops the training itself
                sampler.append()
            try:
                run.update()
            except Exception:  # a server may answer anything; the last sync reports it
                run = RunSync(store, record)
    found, holder = read_record(record), holder_of(sibling(record, ".lease"))
    if found is not None and found.status == "running" and holder is not None:
        with suppress(psutil.Error):  # the pipe of a killed training closes shortly before its process is gone
            psutil.Process(holder.pid).wait(timeout=5)
    return sync_records(store, records_below(record.parent) if record.name == RUN_RECORD else [record])[1]
