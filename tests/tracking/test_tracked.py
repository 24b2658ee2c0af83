"""What is written around a training, an evaluation and a summary; without MLflow, which the files do not need."""

import json
from pathlib import Path

import pytest
import yaml

from clef.runtime.files import file_hash
from clef.tracking.record import RUN_RECORD, Process, read_record, record_path, sibling
from clef.tracking.tracked import tracked_evaluation, tracked_summary, tracked_training
from tests.toy import toy_params

PARAMS = toy_params()


def target_in(folder: Path) -> Path:
    return folder / "results" / "toy" / "seed0" / "fold1" / "finetune.safetensors"


def tracked(target: Path, key: str = "k", package: str = "p"):
    sidecar = {"stage": "finetune", "seed": 0, "fold": 1, "steps": 9, "manifest": "m" * 64, "package": package}
    return tracked_training(PARAMS, target, Path("manifest.parquet"), key, sidecar, "cpu")


def test_the_record_says_how_a_training_ended(tmp_path):
    target = target_in(tmp_path)
    path = record_path(target)
    with tracked(target):
        assert read_record(path).status == "running"
        assert read_record(path).process == Process.own()
    assert read_record(path).status == "finished"
    for error, status in ((ValueError, "failed"), (KeyboardInterrupt, "stopped"), (SystemExit, "running")):
        with pytest.raises(error), tracked(target):
            raise error
        assert read_record(path).status == status


def test_a_resumed_training_keeps_its_start_and_its_code_and_a_finished_one_begins_anew(tmp_path):
    target = target_in(tmp_path)
    path = record_path(target)
    with pytest.raises(ValueError, match="killed"), tracked(target, package="old"):
        raise ValueError("killed")
    sibling(path, ".system.jsonl").write_text('{"step": 1, "time": 1}\n')
    first = read_record(path)
    with tracked(target, package="new"):
        pass
    resumed = read_record(path)
    assert (resumed.unit.code, resumed.started) == ("old", first.started)
    assert resumed.unit.tags["package"] == "new"
    assert sibling(path, ".system.jsonl").exists()
    with tracked(target, package="new"):
        pass
    again = read_record(path)
    assert again.unit.code == "new"
    assert again.started > first.started
    assert not sibling(path, ".system.jsonl").exists()


def test_another_key_is_another_training(tmp_path):
    target = target_in(tmp_path)
    with pytest.raises(ValueError, match="killed"), tracked(target, package="old"):
        raise ValueError("killed")
    with tracked(target, key="other", package="new"):
        pass
    assert read_record(record_path(target)).unit.code == "new"


def test_a_folder_that_cannot_be_written_stops_no_training(tmp_path, caplog):
    target = target_in(tmp_path)
    record_path(target).mkdir(parents=True)
    with tracked(target):
        pass
    assert "not written" in caplog.text


def test_metrics_are_those_of_the_training_they_were_made_from(tmp_path):
    target = target_in(tmp_path)
    metrics = target.parent / "metrics.json"
    with tracked_evaluation(PARAMS, target, metrics):  # trained before there were records
        pass
    assert read_record(record_path(target)) is None
    with tracked(target):
        pass
    with tracked_evaluation(PARAMS, target, metrics):
        metrics.write_text("{}")
    assert read_record(record_path(target)).results == {"metrics.json": file_hash(metrics)}


def test_the_record_of_a_run_names_the_files_of_its_summary(tmp_path):
    target = target_in(tmp_path)
    with tracked(target):
        pass
    folder = tmp_path / "results" / "toy"
    (folder / "plots").mkdir()
    with tracked_summary(PARAMS, folder):
        for name in ("summary.json", "summary.csv", "plots/f1.svg"):
            (folder / name).write_text(json.dumps(name))
    record, training = read_record(folder / RUN_RECORD), read_record(record_path(target))
    assert set(record.results) == {"summary.json", "summary.csv", "params.yaml", "plots/f1.svg"}
    assert record.unit.key == training.parent.key
    assert record.started == training.started
    assert record.unit.tags["tune.held_out" if PARAMS.tune else "tune"] == "none"
    assert yaml.safe_load((folder / "params.yaml").read_text()) == PARAMS.model_dump(mode="json", by_alias=True)
