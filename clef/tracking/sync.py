"""Bring MLflow up to date with the records of trainings and runs and the files beside them."""

import hashlib
import json
import math
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType

from clef.errors import ClefError
from clef.runtime.lease import holder_of
from clef.tracking.location import without_secrets, write_page_link
from clef.tracking.metrics import GrowingFile, Point, checkpoint_step, points_of
from clef.tracking.record import RUN_RECORD, DatasetVersion, Record, RunDescription, read_record, records_below, sibling
from clef.tracking.results import log_results
from clef.tracking.store import Store, short_message

METRICS_PER_CALL = 1000
TAGS_PER_CALL = 100
"""MLflow's limits for one `log_batch`; the second one also holds for parameters."""

ENDED_STATUS = {"running": "KILLED", "stopped": "KILLED", "failed": "FAILED", "finished": "FINISHED"}
"""MLflow's status of a run that no process computes any more, by the status in its record."""

KEY, CODE, FILES, PROGRESS = "clef.key", "clef.code", "clef.files", "clef.progress"
PARENT_RUN = "mlflow.parentRunId"

Item = TypeVar("Item")


class RunSync:
    """Update the MLflow run of one record. Repeating an update changes nothing.

    While a training may be resumed, only the points up to its recovery checkpoint are sent, because a resume repeats the
    later steps. All points are sent once it has finished, or has failed without anything to resume from. A step that
    MLflow already has is never sent again.

    Args:
        store: The MLflow store.
        path: Path of the record.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path
        self.sent = 0
        """Number of values sent so far."""
        self._identity = ("", "")
        self._reset()

    def _reset(self) -> None:
        """Forget what MLflow has and what was read from the files."""
        self._run = self._status = ""
        self._tags: dict[str, str] = {}
        self._known_steps: dict[str, set[int]] = {}
        self._pending: list[Point] = []
        self._metrics = GrowingFile(sibling(self.path, ".metrics.jsonl"))
        self._system = GrowingFile(sibling(self.path, ".system.jsonl"))

    def try_update(self) -> str | None:
        """Send what is missing; return a short message if MLflow, the network or a file fails."""
        try:
            self._update()
        except Exception as error:  # a server may answer anything, and a file may contain anything
            self._reset()  # it is unknown how much of a failed call arrived
            return short_message(error)
        return None

    def _update(self) -> None:
        record = read_record(self.path)
        if record is None:
            return
        if self._identity != (record.run.key, record.run.code):
            self._reset()  # another training writes to the same path
            self._identity = (record.run.key, record.run.code)
        active = is_active(self.path, record)
        files = "" if active else self._files_hash(record)
        if not self._run and not self._open(record, files):
            return
        if active:
            self._set_status("RUNNING", None)
        self._send_points(record)
        if not active:
            self.sent += log_results(self.store.client, self._run, self.path, record)
            self._set_status(ENDED_STATUS[record.status], record.ended)
            if record.status == "finished" and self._files_hash(record) == files:
                self._set_tags({FILES: files})

    def _open(self, record: Record, files: str) -> bool:
        """Find or create the run; return False if MLflow already has everything from files with this hash."""
        tags: dict[str, str] = {}
        with self.store.creating() as client:
            experiment = self.store.experiment(record.run.experiment)
            if record.parent is not None:
                parent = find_or_create_run(self.store, experiment, record.parent, record.started, {})
                tags[PARENT_RUN] = parent.info.run_id
            run = find_or_create_run(self.store, experiment, record.run, record.started, tags)
        run_id, self._status, self._tags = run.info.run_id, run.info.status, dict(run.data.tags)
        write_page_link(self.path, record.run.key, self.store.uri, experiment, run_id, tags.get(PARENT_RUN))
        if files and self._tags.get(FILES) == files and self._tags.get(PARENT_RUN) == tags.get(PARENT_RUN):
            return False
        self._run = run_id
        self._set_tags({**record.run.tags, **tags})
        if record.data is not None:
            client.log_inputs(run_id, [_dataset_input(record.data)])
        for name in run.data.metrics:
            self._known_steps[name] = {metric.step for metric in client.get_metric_history(run_id, name)}
        return True

    def _send_points(self, record: Record) -> None:
        work = sibling(self.path, ".work")
        complete = record.status == "finished" or (record.status == "failed" and not work.exists())
        # Look at the checkpoint before the metrics: a resume between the two can only replace later steps.
        last = math.inf if complete else checkpoint_step(work, record.run.key)
        replaced, lines = self._metrics.read()
        if replaced:
            self._pending.clear()
        self._pending += [point for line in lines for point in points_of(line)]
        step = max((point.step for point in self._pending), default=None)
        _, samples = self._system.read()
        self._send([point for point in self._pending if point.step <= last])
        self._send([point for line in samples for point in points_of(line)])
        self._pending = [point for point in self._pending if point.step > last]
        if record.steps is not None and step is not None:
            self._set_tags({PROGRESS: f"step {step} of {record.steps}"})

    def _send(self, points: Sequence[Point]) -> None:
        new = [point for point in points if point.step not in self._known_steps.get(point.name, ())]
        for batch in _batches(new, METRICS_PER_CALL):
            metrics = [Metric(point.name, point.value, point.time, point.step) for point in batch]
            self.store.client.log_batch(self._run, metrics=metrics)
            for point in batch:
                self._known_steps.setdefault(point.name, set()).add(point.step)
            self.sent += len(batch)

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        changed = {name: value for name, value in tags.items() if self._tags.get(name) != value}
        for batch in _batches(list(changed.items()), TAGS_PER_CALL):
            self.store.client.log_batch(self._run, tags=[RunTag(name, value) for name, value in batch])
        self._tags |= changed

    def _set_status(self, status: str, ended: float | None) -> None:
        if status == self._status:
            return
        if status == "RUNNING":
            self.store.client.update_run(self._run, status=status)
        else:
            self.store.client.set_terminated(self._run, status, None if ended is None else int(ended * 1000))
        self._status = status

    def _files_hash(self, record: Record) -> str:
        """SHA-256 over all files that the run is made from."""
        total = hashlib.sha256()
        results = [self.path.parent / name for name in record.results]
        for path in (self.path, self._metrics.path, self._system.path, *results):
            total.update(f"{path.name}:".encode())
            if path.exists():
                total.update(path.read_bytes())
        return total.hexdigest()


def is_active(path: Path, record: Record) -> bool:
    """Whether a process computes this run now. On another host only the heartbeat of its lease can show that."""
    if record.status != "running" or record.interrupted:
        return False
    return record.process.host == socket.gethostname() or holder_of(sibling(path, ".lease")) is not None


def find_or_create_run(
    store: Store, experiment: str, run: RunDescription, started: float, tags: Mapping[str, str]
) -> Run:
    """Find a run by its key, or create it. Call this inside `Store.creating`.

    The lock does not stop another machine from creating the same run at the same moment. The earliest one is kept and
    the others are moved to MLflow's bin; the next sync adds their points from the files.
    """
    found = _runs_with_key(store, experiment, run)
    if not found:
        tags = {**run.tags, **tags, KEY: run.key, CODE: run.code}
        store.client.create_run(experiment, start_time=int(started * 1000), run_name=run.name, tags=tags)
        found = _runs_with_key(store, experiment, run)
    for duplicate in found[1:]:
        store.client.delete_run(duplicate.info.run_id)
    missing = [Param(name, value) for name, value in run.params.items() if name not in found[0].data.params]
    for batch in _batches(missing, TAGS_PER_CALL):
        store.client.log_batch(found[0].info.run_id, params=batch)
    return found[0]


def _runs_with_key(store: Store, experiment: str, run: RunDescription) -> list[Run]:
    """The runs with the key and code of a description, earliest first."""
    where = f"tags.`{KEY}` = '{run.key}' and tags.`{CODE}` = '{run.code}'"
    found = store.client.search_runs([experiment], where, ViewType.ACTIVE_ONLY)
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def _dataset_input(data: DatasetVersion) -> DatasetInput:
    dataset = Dataset(data.name, data.digest, "local", json.dumps({"uri": data.source}))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


@dataclass
class SyncedRun:
    """What a sync did for one run of the workflow."""

    name: str
    trainings: int = 0
    summarized: bool = False
    values: int = 0
    """Points and results that MLflow did not have before."""
    failure: str | None = None
    """The first failure and the record it concerns."""


def sync_runs(
    results: Path, names: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[SyncedRun]:
    """Sync runs one after the other; a run that fails does not stop the next one.

    Args:
        results: Folder of all runs.
        names: Runs to sync; all that have records if empty.
        progress: Called with the number of records done and their total.

    Raises:
        ClefError: A run has no records, the store does not answer, or (at the end) some runs failed.
    """
    folders = sorted(path.name for path in results.iterdir()) if not names and results.is_dir() else names
    records = {name: records_below(results / name) for name in folders}
    for name in names:
        if not records[name]:
            raise ClefError(
                f"{results / name}: contains no records of trainings; train the run first, or check its name"
            )
    records = {name: paths for name, paths in records.items() if paths}
    if not records:
        return
    store = Store(results.absolute().parent)
    store.require()
    total, number, failed = sum(map(len, records.values())), 0, []
    for name, paths in records.items():
        done = SyncedRun(name, sum(path.name != RUN_RECORD for path in paths), paths[-1].name == RUN_RECORD)
        for path in paths:
            run = RunSync(store, path)
            if (failure := run.try_update()) is not None:
                done.failure = done.failure or f"{failure} at {path}"
            done.values += run.sent
            number += 1
            progress(number, total)
        if done.failure is not None:
            failed.append(done)
        yield done
    if failed:
        reasons = "; ".join(f"{done.name}: {done.failure}" for done in failed)
        raise ClefError(
            f"{without_secrets(store.uri)}: {len(failed)} of {len(records)} runs are incomplete there: {reasons}; "
            f"fix that, then run `clef track sync {' '.join(done.name for done in failed)}`"
        )
