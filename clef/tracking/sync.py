"""Bring MLflow up to date with the records of trainings and runs and the files beside them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run, RunTag, ViewType

from clef.runtime.files import file_hash
from clef.runtime.lease import holder_of
from clef.tracking.curves import checkpoint_step, read_points
from clef.tracking.location import write_page_links
from clef.tracking.record import Record, RunDescription, read_record, sibling
from clef.tracking.results import log_results
from clef.tracking.store import Store, short_message

METRICS_PER_CALL = 1000  # limit of MLflow
DATASET_DIGEST_LENGTH = 36  # limit of MLflow
ENDED_STATUS = {"running": "KILLED", "stopped": "KILLED", "failed": "FAILED", "finished": "FINISHED"}
"""MLflow's status of a run that no process computes any more, by the status in its record."""

KEY, CODE, SYNCED = "clef.key", "clef.code", "clef.synced"
PARENT_RUN = "mlflow.parentRunId"


class RunSync:
    """Update the MLflow run of one record. Repeating an update changes nothing.

    While a training may be resumed, only the points up to its recovery checkpoint are sent, because a resume repeats
    the later steps. All points are sent once it has finished, or has failed without anything to resume from. A step
    that MLflow already has is never sent again.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path
        self.sent = 0  # values
        self._metrics, self._system = sibling(path, ".metrics.jsonl"), sibling(path, ".system.jsonl")
        self._run = self._status = ""
        self._tags: dict[str, str] = {}
        self._known_steps: dict[str, set[int]] = {}
        self._complete_to: float = 0

    def update(self) -> None:
        """Send what MLflow is missing. After an error, use a new object: part of the failed call may have arrived."""
        version = file_hash(self.path) if self.path.exists() else ""  # first, as the record may change at any moment
        record = read_record(self.path)
        if record is None:
            return
        version = version if record.status == "finished" else ""
        active = record.status == "running" and holder_of(sibling(self.path, ".lease")) is not None
        if not self._run and not self._open(record, version):
            return
        if active and self._status != "RUNNING":
            self.store.client.update_run(self._run, status="RUNNING")
            self._status = "RUNNING"
        self._send_points(record)
        if not active:
            self.sent += log_results(self.store, self._run, self.path, record)
            if (status := ENDED_STATUS[record.status]) != self._status:
                ended = None if record.ended is None else int(record.ended * 1000)
                self.store.client.set_terminated(self._run, status, ended)
                self._status = status
            if version:
                self._set_tags({SYNCED: version})

    def _open(self, record: Record, version: str) -> bool:
        """Find or create the run; return False if MLflow has everything of this version of a finished record."""
        tags: dict[str, str] = {}
        with self.store.creating() as client:
            experiment = self.store.experiment(record.run.experiment)
            if record.parent is not None:
                parent = find_or_create_run(self.store, experiment, record.parent, record.started, {})
                tags[PARENT_RUN] = parent.info.run_id
            run = find_or_create_run(self.store, experiment, record.run, record.started, tags)
        run_id, self._status, self._tags = run.info.run_id, run.info.status, dict(run.data.tags)
        write_page_links(self.path, record.run.key, self.store.uri, experiment, run_id, tags.get(PARENT_RUN))
        if version and {SYNCED: version, **tags}.items() <= self._tags.items():
            return False
        self._run = run_id
        self._set_tags({**record.run.tags, **tags})
        source = json.dumps({"uri": record.manifest})
        dataset = Dataset(record.run.experiment, record.manifest_hash[:DATASET_DIGEST_LENGTH], "local", source)
        client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        for name in run.data.metrics:
            self._known_steps[name] = {metric.step for metric in client.get_metric_history(run_id, name)}
        return True

    def _send_points(self, record: Record) -> None:
        work = sibling(self.path, ".work")
        final = record.status == "finished" or (record.status == "failed" and not work.exists())
        # Look at the checkpoint before the metrics: a resume between the two can only replace later steps.
        last = math.inf if final else checkpoint_step(work, record.run.key)
        points = list(read_points(self._system))
        if last > self._complete_to:
            points += [point for point in read_points(self._metrics) if point.step <= last]
        new = [point for point in points if point.step not in self._known_steps.get(point.key, ())]
        for start in range(0, len(new), METRICS_PER_CALL):
            self.store.client.log_batch(self._run, metrics=new[start : start + METRICS_PER_CALL])
        for point in new:
            self._known_steps.setdefault(point.key, set()).add(point.step)
        self.sent += len(new)
        self._complete_to = last

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        if changed := [RunTag(name, value) for name, value in tags.items() if self._tags.get(name) != value]:
            self.store.client.log_batch(self._run, tags=changed)
        self._tags |= tags


def find_or_create_run(
    store: Store, experiment: str, run: RunDescription, started: float, tags: Mapping[str, str]
) -> Run:
    """Find a run by its key, or create it. Call this inside `Store.creating`.

    The lock does not stop another machine from creating the same run at the same moment. The earliest one is kept and
    the others are moved to MLflow's bin; the next sync adds their points from the files.
    """
    where = f"tags.`{KEY}` = '{run.key}' and tags.`{CODE}` = '{run.code}'"
    found = store.client.search_runs([experiment], where, ViewType.ACTIVE_ONLY)
    if not found:
        tags = {**run.tags, **tags, KEY: run.key, CODE: run.code}
        store.client.create_run(experiment, start_time=int(started * 1000), run_name=run.name, tags=tags)
        found = store.client.search_runs([experiment], where, ViewType.ACTIVE_ONLY)
    first, *duplicates = sorted(found, key=lambda found: (found.info.start_time, found.info.run_id))
    for duplicate in duplicates:
        store.client.delete_run(duplicate.info.run_id)
    if missing := [Param(name, value) for name, value in run.params.items() if name not in first.data.params]:
        store.client.log_batch(first.info.run_id, params=missing)
    return first


def sync_records(store: Store, records: Sequence[Path]) -> tuple[int, str | None]:
    """Sync records even if an earlier one fails; return the number of new values, and the first failure."""
    sent, failure = 0, None
    for path in records:
        run = RunSync(store, path)
        try:
            run.update()
        except Exception as error:  # a server may answer anything, and a file may contain anything
            failure = failure or f"{short_message(error)} at {path}"
        sent += run.sent
    return sent, failure
