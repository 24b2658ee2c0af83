"""The process that keeps MLflow up to date beside trainings.

It is a process of its own and of low priority: it shares no lock, no random state and no memory with a training, and
whatever MLflow, the network or the server do happens to it alone. It serves every training of its desk and ends by
itself when none has been running for a while.
"""

import time
from contextlib import suppress
from pathlib import Path

from clef.runtime.files import file_hash
from clef.tracking.desk import Answer, Desk
from clef.tracking.record import RUN_RECORD, read_record, records_below, sibling
from clef.tracking.store import Store, brief
from clef.tracking.system import System, append_sample
from clef.tracking.view import View

POLL_SECONDS = 0.5
UPDATE_SECONDS = 5.0
LONGEST_PAUSE = 60.0
LINGER_SECONDS = 20.0
"""How long it stays when nothing runs: longer than it takes Snakemake to start the next job."""
SLOW_SECONDS = 3.0
"""A call that fails after so long has hung."""


def serve(desk: Desk) -> None:
    """Follow all records on a desk, which the caller attends, until nothing has changed for `LINGER_SECONDS`."""
    store, system = Store(desk.checkout), System()
    followed: dict[Path, Followed] = {}
    busy = time.monotonic()
    while time.monotonic() - busy < LINGER_SECONDS:
        for path in desk.asked():
            if path not in followed and path.exists():
                followed[path] = Followed(store, path)
        sample = system.sample_when_due()
        blocked: str | None = None
        for record in followed.values():
            record.look()
            if record.running or record.changed:
                busy = time.monotonic()
            if record.running and sample is not None:
                with suppress(OSError):  # a full disk is the training's to tell
                    append_sample(sibling(record.path, ".system.jsonl"), sample)
            if record.due:
                began = time.monotonic()
                record.update(blocked)
                desk.answer(record.path, Answer(record.seen, record.failure))
                if record.failure is not None and time.monotonic() - began > SLOW_SECONDS:
                    blocked = record.failure  # the others would hang too: they have their turn next time
        time.sleep(POLL_SECONDS)
    for path in followed:
        desk.clear(path)


class Followed:
    """One record on the desk.

    `changed` says whether it has since the look before, `running` whether it is of a training that runs, `failure` why
    MLflow lacks something.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path
        self.view = View(store, path)
        self.seen = ""
        self.changed = self.running = False
        self.failure: str | None = None
        self._pause, self._next = UPDATE_SECONDS, 0.0

    def look(self) -> None:
        """Look at the record and at the process that it names."""
        record = read_record(self.path)
        digest = file_hash(self.path) if self.path.exists() else ""
        running = record is not None and record.status == "running" and not record.process.died()
        self.changed = digest != self.seen or running != self.running
        self.seen, self.running = digest, running

    @property
    def due(self) -> bool:
        """Whether MLflow is to be updated now: after a change, and now and then while it may lack something."""
        waits = self.running or self.failure is not None
        return self.changed or (waits and time.monotonic() >= self._next)

    def update(self, blocked: str | None) -> None:
        """Update MLflow, unless something is known to block it.

        Args:
            blocked: What does.
        """
        self.failure = blocked if blocked is not None else self._agree()
        self._pause = UPDATE_SECONDS if self.failure is None else min(2 * self._pause, LONGEST_PAUSE)
        self._next = time.monotonic() + self._pause

    def _agree(self) -> str | None:
        # The record of a run comes last: what its trainings could not bring over is brought with it.
        others = records_below(self.path.parent) if self.path.name == RUN_RECORD else []
        for view in (*(View(self.store, path) for path in others if path != self.path), self.view):
            try:
                view.agree()
            except Exception as error:  # anything at all: a server may answer anything
                return brief(error)
        return None
