"""A lease on an output: two processes must not work on one, yet a dead one must not lock it for ever.

The lease file names host, process, job and the time of the last heartbeat. On one host a live process decides; from
another host only the heartbeat can be seen, and a lease whose heart has stopped for `STALE_SECONDS` is taken over.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from clef.errors import ClefError
from clef.files import write_text

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 180.0


@contextmanager
def leased(target: Path) -> Iterator[None]:
    """Hold the lease of an output and its work folder, with a heartbeat from a thread, until the block ends.

    Raises:
        ClefError: Another live process holds it.
    """
    path = target.with_suffix(".lease")
    holder = _live_holder(path)
    if holder is not None:
        raise ClefError(
            f"{target}: process {holder['process']} on {holder['host']} is already at work on it "
            f"(last heartbeat {time.time() - holder['heartbeat']:.0f} s ago); wait for it or end it"
        )
    mine = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": psutil.Process().create_time(),
        "job": os.environ.get("SLURM_JOB_ID"),
    }
    stop = threading.Event()

    def beat() -> None:
        while True:
            write_text(path, json.dumps({**mine, "heartbeat": time.time()}))
            if stop.wait(HEARTBEAT_SECONDS):
                return

    write_text(path, json.dumps({**mine, "heartbeat": time.time()}))
    heart = threading.Thread(target=beat, name="lease heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        path.unlink(missing_ok=True)


def _live_holder(path: Path) -> dict[str, float] | None:
    try:
        lease = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if lease["host"] == socket.gethostname():
        try:
            alive = psutil.Process(lease["process"]).create_time() == lease["started"]
        except psutil.NoSuchProcess:
            alive = False
        return lease if alive else None
    return lease if time.time() - lease["heartbeat"] < STALE_SECONDS else None
