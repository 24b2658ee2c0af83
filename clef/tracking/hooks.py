"""Context managers around a training, an evaluation and a summary that track them. They cannot change the results."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from clef.errors import Unfinished
from clef.params.schema import Params
from clef.runtime.files import file_hash, write_text
from clef.tracking.environment import environment_tags
from clef.tracking.live_sync import followed
from clef.tracking.record import RUN_RECORD, Record, read_record, record_path, records_below, run_folder, sibling
from clef.tracking.run_description import as_text, flatten, parent_run, training_run

log = logging.getLogger(__name__)


@contextmanager
def track_training(
    params: Params, target: Path, manifest: Path, key: str, sidecar: Mapping[str, Any], device: str
) -> Iterator[None]:
    """Write the record of a training, and sync it to MLflow while the block trains.

    `target` is the path of the weights, `sidecar` is the content of the JSON file beside them, and `key` is a hash of
    everything that they depend on. `device` is, for example, `cuda (NVIDIA H200)`.
    """
    path = record_path(target)
    name, tags = run_folder(target).name, environment_tags()
    run = training_run(params, name, target.stem, key, sidecar, {**tags, "device": device})
    started = now = time.time()
    earlier = read_record(path)
    if earlier is not None and earlier.run.key == key and earlier.status != "finished":
        run, started = replace(run, code=earlier.run.code), earlier.started  # a resumed training stays the same run
    else:
        with suppress(OSError):
            sibling(path, ".system.jsonl").unlink()
    record = Record(
        run=run,
        parent=parent_run(params, name, sidecar["manifest"], tags),
        manifest=str(manifest),
        manifest_hash=sidecar["manifest"],
        started=started,
        resumed=now,
        steps=sidecar["steps"],
    )
    _write(record, path)

    with followed(path) if params.tracking.mlflow else nullcontext():
        try:
            yield
        except BaseException as error:
            failed = isinstance(error, Exception) and not isinstance(error, Unfinished)
            _write(replace(record, status="failed" if failed else "stopped", ended=time.time()), path)
            raise
        _write(replace(record, status="finished", ended=time.time()), path)


@contextmanager
def track_evaluation(params: Params, weights: Path, metrics: Path) -> Iterator[None]:
    """Add the metrics file that the block writes to the record of the training it scores, and sync that."""
    path = record_path(weights)
    if read_record(path) is None or metrics.parent != path.parent:
        yield
        return
    with followed(path) if params.tracking.mlflow else nullcontext():
        yield
        record = read_record(path)
        if record is not None:
            _write(replace(record, results={metrics.name: file_hash(metrics)}), path)


@contextmanager
def track_summary(params: Params, folder: Path) -> Iterator[None]:
    """After the block has summarized a run, write `params.yaml` and the run's record to its folder, and sync it."""
    path = folder / RUN_RECORD
    trainings = [record for record in map(read_record, records_below(folder)) if record and record.parent]
    with followed(path) if params.tracking.mlflow and trainings else nullcontext():
        yield
        plain = params.model_dump(mode="json", by_alias=True)
        write_text(folder / "params.yaml", yaml.safe_dump(plain, sort_keys=False))
        if trainings:
            _write(_summary_record(params, folder, trainings), path)


def _summary_record(params: Params, folder: Path, trainings: list[Record]) -> Record:
    # Trainings with older params may have left records behind; the newest one identifies the run.
    newest = max(trainings, key=lambda training: training.started)
    assert newest.parent is not None
    own = [training for training in trainings if training.parent and training.parent.key == newest.parent.key]
    drawn = sorted(file for part in ("plots", "tables") for file in (folder / part).glob("*") if file.is_file())
    summaries = [folder / name for name in ("summary.json", "summary.csv", "params.yaml", "report.html")]
    files = [file for file in (*summaries, *drawn) if file.exists()]
    # These settings can change while it stays the same run, so they are tags.
    tags = {"seeds": as_text(params.seeds), "threshold": as_text(params.evaluate.threshold)}
    tags |= {name: as_text(value) for name, value in flatten({"tune": params.tracked("tune")}).items()}
    return Record(
        run=replace(newest.parent, tags={**newest.parent.tags, **environment_tags(), **tags}),
        parent=None,
        manifest=newest.manifest,
        manifest_hash=newest.manifest_hash,
        started=min(training.started for training in own),
        resumed=newest.resumed,
        status="finished",
        ended=time.time(),
        results={file.relative_to(folder).as_posix(): file_hash(file) for file in files},
    )


def _write(record: Record, path: Path) -> None:
    """Write a record. A full disk must not stop a training because of this file."""
    try:
        record.write(path)
    except OSError as error:
        log.warning("tracking: %s: not written (%s)", path, error)
