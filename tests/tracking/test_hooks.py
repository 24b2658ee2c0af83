"""What the hooks write around a training, an evaluation and a summary, with MLflow switched off."""

import json
from pathlib import Path

import pytest
import yaml

from clef.errors import Unfinished
from clef.runtime.files import file_hash, write_text
from clef.tracking.hooks import track_evaluation, track_summary, track_training
from clef.tracking.record import RUN_RECORD, read_record, record_path, sibling
from tests.toy import toy_params

PARAMS = toy_params()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "results" / "toy" / "seed0" / "fold1" / "finetune.safetensors"


def training(target: Path, key: str = "k", package: str = "p"):
    sidecar = {"stage": "finetune", "seed": 0, "fold": 1, "steps": 9, "manifest": "m" * 64, "package": package}
    return track_training(PARAMS, target, Path("manifest.parquet"), key, sidecar, "cpu")


def fail(target: Path, error: type[BaseException] = ValueError, **options: str) -> None:
    with pytest.raises(error), training(target, **options):
        raise error


def test_the_record_says_how_a_training_ended(target):
    path = record_path(target)
    with training(target):
        assert read_record(path).status == "running"
    assert read_record(path).status == "finished"
    for error, status in ((ValueError, "failed"), (KeyboardInterrupt, "stopped"), (Unfinished, "stopped")):
        fail(target, error)
        assert read_record(path).status == status


def test_a_resumed_training_keeps_its_start_and_code_and_a_repeated_one_does_not(target):
    path = record_path(target)
    samples = sibling(path, ".system.jsonl")
    fail(target, package="old")
    samples.write_text('{"step": 1, "time": 1}\n')
    first = read_record(path)
    with training(target, package="new"):
        pass
    resumed = read_record(path)
    assert (resumed.run.code, resumed.started, samples.exists()) == ("old", first.started, True)
    assert resumed.run.tags["package"] == "new"
    assert resumed.resumed > first.resumed
    with training(target, package="new"):
        pass
    repeated = read_record(path)
    assert (repeated.run.code, repeated.started > first.started, samples.exists()) == ("new", True, False)
    fail(target, package="old")
    with training(target, key="other", package="new"):
        pass
    assert read_record(path).run.code == "new", "another key is another training"


def test_a_record_that_cannot_be_written_stops_no_training(target, caplog):
    record_path(target).mkdir(parents=True)
    with training(target):
        pass
    assert "not written" in caplog.text


def test_an_evaluation_adds_its_metrics_to_the_record_of_its_training(target):
    metrics = target.parent / "metrics.json"
    with track_evaluation(PARAMS, target, metrics):  # of a training without a record
        pass
    assert read_record(record_path(target)) is None
    with training(target):
        pass
    with track_evaluation(PARAMS, target, metrics):
        metrics.write_text("{}")
    assert read_record(record_path(target)).results == {"metrics.json": file_hash(metrics)}


def test_the_record_of_a_run_names_the_files_of_its_summary(target):
    with training(target):
        pass
    folder = target.parents[2]
    names = ("summary.json", "summary.csv", "report.html", "plots/f1.svg", "tables/summary.tex")
    with track_summary(PARAMS, folder):
        for name in names:
            write_text(folder / name, json.dumps(name))
    record, trained = read_record(folder / RUN_RECORD), read_record(record_path(target))
    assert set(record.results) == {*names, "params.yaml"}
    assert record.run.key == trained.parent.key
    assert record.started == trained.started
    assert {"seeds": "0", "tune": "none"}.items() <= record.run.tags.items()
    assert yaml.safe_load((folder / "params.yaml").read_text()) == PARAMS.model_dump(mode="json", by_alias=True)
