"""Make MLflow agree with a record and the files beside it. Doing so again changes nothing."""

import hashlib
import json
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType

from clef.runtime.lease import live
from clef.tracking.link import write_link
from clef.tracking.points import Point, Tail, committed_step, points
from clef.tracking.record import Data, Record, Unit, read_record, sibling
from clef.tracking.results import log_results
from clef.tracking.store import Store

METRICS_A_BATCH = 1000
OTHERS_A_BATCH = 100
"""Limits of MLflow's log-batch call; the latter for parameters and for tags."""

STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}

KEY, CODE, FILES, PROGRESS = "clef.key", "clef.code", "clef.runtime.files", "clef.runtime.progress"
PARENT_RUN = "mlflow.parentRunId"

Item = TypeVar("Item")


class View:
    """The run of one record.

    Points of a training are sent when they are final: up to its recovery checkpoint while it may go on, all when it has
    finished, or has failed with nothing to go on from. A point whose step MLflow has already is never sent again.

    Args:
        store: Where runs are.
        path: The record.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path
        self.sent_now = 0
        self.already_complete = False
        self._metrics = Tail(sibling(path, ".metrics.jsonl"))
        self._system = Tail(sibling(path, ".system.jsonl"))
        self._waiting: list[Point] = []
        self._identity = ("", "")
        self._run: str | None = None
        self._status = ""
        self._present: dict[str, set[int]] = {}
        self._tags: dict[str, str] = {}

    def agree(self) -> None:
        """Bring what MLflow lacks of the files as they are now.

        Raises:
            Exception: Whatever MLflow, the network or the database raise; what was done until then stays done.
        """
        record = read_record(self.path)
        if record is None:
            return
        if self._identity != (record.unit.key, record.unit.code):
            self._forget()  # another training has taken this one's place
            self._identity = (record.unit.key, record.unit.code)
        running = goes_on(self.path, record)
        try:
            files = "" if running else self._digest(record)
            if self._run is None and not self._open(record, files):
                return
            if running:
                self._set_status("RUNNING", None)
            self._send_points(record)
            if not running:
                self._close(record, files)
        except Exception:
            # What arrived of a call that failed is not known: look again next time.
            self._forget()
            raise

    def _forget(self) -> None:
        self._run, self._present, self._waiting = None, {}, []
        self._metrics, self._system = Tail(self._metrics.path), Tail(self._system.path)

    def _open(self, record: Record, files: str) -> bool:
        """Find or make the run; False where MLflow has all of these files already."""
        unit = record.unit
        with self.store.creating() as client:
            experiment = self.store.experiment(unit.experiment)
            tags: dict[str, str] = {}
            if record.parent is not None:
                tags[PARENT_RUN] = find_or_create(self.store, experiment, record.parent, record.started, {}).info.run_id
            run = find_or_create(self.store, experiment, unit, record.started, tags)
        self._run, self._status, self._tags = run.info.run_id, run.info.status, dict(run.data.tags)
        write_link(self.path, unit.key, self.store.uri, experiment, self._run, tags.get(PARENT_RUN))
        if files and self._tags.get(FILES) == files and self._tags.get(PARENT_RUN) == tags.get(PARENT_RUN):
            self.already_complete = True
            self._run = None
            return False
        self._set_tags({**unit.tags, **tags})
        if record.data is not None:
            client.log_inputs(self._run, [_dataset(record.data)])
        for name in run.data.metrics:
            self._present[name] = {metric.step for metric in client.get_metric_history(self._run, name)}
        return True

    def _send_points(self, record: Record) -> None:
        assert self._run is not None
        replaced, lines = self._metrics.read()
        if replaced:
            self._waiting.clear()
        self._waiting += [point for line in lines for point in points(line)]
        work = sibling(self.path, ".work")
        last = committed_step(work, record.unit.key)
        ended = record.status == "finished" or (record.status == "failed" and not work.exists())
        final = [point for point in self._waiting if ended or point.step <= last]
        _, lines = self._system.read()
        self._send([*final, *(point for line in lines for point in points(line))])
        self._waiting = [point for point in self._waiting if not ended and point.step > last]
        if record.steps is not None:
            reached = max((point.step for point in (*final, *self._waiting)), default=None)
            if reached is not None:
                self._set_tags({PROGRESS: f"step {reached} of {record.steps}"})

    def _send(self, new: Iterable[Point]) -> None:
        assert self._run is not None
        lacking = [point for point in new if point.step not in self._present.get(point.name, ())]
        for batch in _batches(lacking, METRICS_A_BATCH):
            metrics = [Metric(point.name, point.value, point.time, point.step) for point in batch]
            self.store.client.log_batch(self._run, metrics=metrics)
            for point in batch:
                self._present.setdefault(point.name, set()).add(point.step)
            self.sent_now += len(batch)

    def _set_tags(self, wanted: Mapping[str, str]) -> None:
        assert self._run is not None
        differing = {name: value for name, value in wanted.items() if self._tags.get(name) != value}
        for batch in _batches(list(differing.items()), OTHERS_A_BATCH):
            self.store.client.log_batch(self._run, tags=[RunTag(name, value) for name, value in batch])
        self._tags |= differing

    def _set_status(self, status: str, end: float | None) -> None:
        assert self._run is not None
        if status == self._status:
            return
        if status == "RUNNING":
            self.store.client.update_run(self._run, status=status)
        else:
            self.store.client.set_terminated(self._run, status, None if end is None else int(end * 1000))
        self._status = status

    def _close(self, record: Record, files: str) -> None:
        """Results, status and end; then the mark that all is there, unless a file changed meanwhile."""
        assert self._run is not None
        self.sent_now += log_results(self.store.client, self._run, self.path, record)
        self._set_status("KILLED" if record.status == "running" else STATUS[record.status], record.ended)
        if record.status == "finished" and self._digest(record) == files:
            self._set_tags({FILES: files})

    def _digest(self, record: Record) -> str:
        """Hash of all files that the run is made of."""
        total = hashlib.sha256()
        results = [self.path.parent / name for name in record.results]
        for path in (self.path, self._metrics.path, self._system.path, *results):
            total.update(f"{path.name}:".encode())
            if path.exists():
                total.update(path.read_bytes())
        return total.hexdigest()


def goes_on(path: Path, record: Record) -> bool:
    """Whether a process is at work on what a record says is running.

    Of a process on another host only its heartbeat can be seen: with its node, a training is lost without a word.
    """
    if record.status != "running" or record.interrupted:
        return False
    return record.process.host == socket.gethostname() or live(sibling(path, ".lease"))


def find_or_create(store: Store, experiment: str, unit: Unit, started: float, tags: Mapping[str, str]) -> Run:
    """The run of a unit. To be called while `creating`.

    Another machine, which the lock does not hold back, may create it at the same moment. The earliest stays and the
    others are put in MLflow's bin; the files have every point, so that the next view of it brings what it lacks.
    """
    found = _runs_of(store, experiment, unit)
    if not found:
        identity = {KEY: unit.key, CODE: unit.code}
        store.client.create_run(
            experiment, start_time=int(started * 1000), run_name=unit.name, tags={**unit.tags, **tags, **identity}
        )
        found = _runs_of(store, experiment, unit)
    for surplus in found[1:]:
        store.client.delete_run(surplus.info.run_id)
    run = found[0]
    lacking = [Param(name, value) for name, value in unit.params.items() if name not in run.data.params]
    for batch in _batches(lacking, OTHERS_A_BATCH):
        store.client.log_batch(run.info.run_id, params=batch)
    return run


def _runs_of(store: Store, experiment: str, unit: Unit) -> list[Run]:
    """Runs of a unit, the one to keep first."""
    where = f"tags.`{KEY}` = '{unit.key}' and tags.`{CODE}` = '{unit.code}'"
    found = store.client.search_runs([experiment], where, ViewType.ACTIVE_ONLY)
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def _dataset(data: Data) -> DatasetInput:
    source = json.dumps({"uri": data.source})
    return DatasetInput(Dataset(data.name, data.digest, "local", source), [InputTag("mlflow.data.context", "training")])


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
