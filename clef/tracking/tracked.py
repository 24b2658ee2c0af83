"""What a training, an evaluation and a summary are wrapped in to be tracked. None of it can change their results."""

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
from clef.tracking.following import followed
from clef.tracking.record import (
    RUN_RECORD,
    Process,
    Record,
    Status,
    as_plain,
    read_record,
    record_path,
    records_below,
    run_folder,
    sibling,
)
from clef.tracking.surroundings import surroundings
from clef.tracking.units import data_of, flatten, parent_unit, training_unit

log = logging.getLogger(__name__)

SUMMARY_FILES = ("summary.json", "summary.csv", "params.yaml")


@contextmanager
def tracked_training(
    params: Params, target: Path, manifest: Path, key: str, sidecar: Mapping[str, Any], device: str
) -> Iterator[None]:
    """Write the record of a training, and have MLflow follow it while the block trains.

    Args:
        params: The run's.
        target: The weights that are trained, in `results/{run}/seed{s}/fold{k}/`.
        manifest: Its path, by which the data set is shown.
        key: Hash of all that the result depends on.
        sidecar: What is written beside the weights.
        device: Such as `cuda (NVIDIA H200)`.
    """
    path = record_path(target)
    run = run_folder(target).name
    around = surroundings()
    unit = training_unit(params, run, target.stem, key, sidecar, {**around, "device": device})
    earlier = read_record(path)
    goes_on = earlier is not None and earlier.unit.key == key and earlier.status != "finished"
    if earlier is not None and goes_on:
        unit = replace(unit, code=earlier.unit.code)
    record = Record(
        unit=unit,
        parent=parent_unit(params, run, sidecar["manifest"], around),
        data=data_of(params, sidecar["manifest"], str(manifest)),
        process=Process.own(),
        started=earlier.started if earlier is not None and goes_on else time.time(),
        steps=sidecar["steps"],
    )
    if not goes_on:
        with suppress(OSError):
            sibling(path, ".system.jsonl").unlink()
    _write(record, path)

    def ended(status: Status) -> None:
        _write(replace(record, status=status, ended=time.time()), path)

    with followed(path) if params.tracking.mlflow else nullcontext():
        try:
            yield
        except (KeyboardInterrupt, Unfinished):
            ended("stopped")
            raise
        except Exception:
            ended("failed")
            raise
        ended("finished")


@contextmanager
def tracked_evaluation(params: Params, weights: Path, metrics: Path) -> Iterator[None]:
    """Have MLflow get the metrics that the block writes, in the run of the training they score."""
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
def tracked_summary(params: Params, folder: Path) -> Iterator[None]:
    """Have MLflow get the summary that the block writes, and whatever else it lacks of the run.

    Writes `params.yaml`, the params with every default, and the record of the run.

    Args:
        params: The run's.
        folder: Its folder, `results/{run}/`.
    """
    path = folder / RUN_RECORD
    trainings = [training for training in map(read_record, records_below(folder)) if training and training.parent]
    with followed(path) if params.tracking.mlflow and trainings else nullcontext():
        yield
        plain = params.model_dump(mode="json", by_alias=True)
        write_text(folder / "params.yaml", yaml.safe_dump(plain, sort_keys=False))
        if trainings:
            _write(_summary_record(params, folder, trainings), path)


def _summary_record(params: Params, folder: Path, trainings: list[Record]) -> Record:
    # A training that a change of params made stale may have left its record: the newest says which run this is.
    last = max(trainings, key=lambda training: training.started)
    assert last.parent is not None
    own = [training for training in trainings if training.parent and training.parent.key == last.parent.key]
    plots = sorted(file for file in (folder / "plots").glob("*") if file.is_file())
    files = [file for file in (*(folder / name for name in SUMMARY_FILES), *plots) if file.exists()]
    # What decides how a run is scored, or which seeds it has so far, can change while it stays the same run.
    tags = {"seeds": as_plain(params.seeds), "threshold": as_plain(params.evaluate.threshold)}
    tags |= {name: as_plain(value) for name, value in flatten({"tune": params.tracked("tune")}).items()}
    return Record(
        unit=replace(last.parent, tags={**last.parent.tags, **surroundings(), **tags}),
        parent=None,
        data=last.data,
        process=Process.own(),
        started=min(training.started for training in own),
        status="finished",
        ended=time.time(),
        results={file.relative_to(folder).as_posix(): file_hash(file) for file in files},
    )


def _write(record: Record, path: Path) -> None:
    """Write a record. A full disk must not stop a training through this file."""
    try:
        record.write(path)
    except OSError as error:
        log.warning("tracking: %s: not written (%s)", path, error)
