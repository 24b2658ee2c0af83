"""Records and their files, synced to a real SQLite store."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clef.runtime.files import file_hash
from clef.runtime.lease import leased
from clef.tracking.record import read_record, sibling
from clef.tracking.store import Store
from clef.tracking.sync import RunSync, find_or_create_run, sync_records
from clef.tracking.system_metrics import SystemSampler
from clef.training.checkpoint import Recovery
from clef.training.metrics_file import MetricsFile
from tests.tracking.conftest import all_runs, curve, curve_in_file, make_record


def sync(checkout: Path, *records: Path) -> int:
    sent, failure = sync_records(Store(checkout), records)
    assert failure is None
    return sent


def change(record: Path, **fields) -> None:
    found = read_record(record)
    assert found is not None
    replace(found, **fields).write(record)


def append(record: Path, steps: range) -> None:
    for step in steps:
        MetricsFile(sibling(record, ".metrics.jsonl")).append(step, {"train/loss": 1 / step})


def run_of(checkout: Path, name: str = "toy fold 0"):
    return all_runs(checkout)[name]


def steps_of(checkout: Path, metric: str = "train/loss") -> list[int]:
    return [step for step, _, _ in curve(checkout, run_of(checkout), metric)]


def require_same_curve(checkout: Path, record: Path) -> None:
    points = curve_in_file(sibling(record, ".safetensors"), "train/loss")
    assert curve(checkout, run_of(checkout), "train/loss") == points


def test_a_finished_training_is_in_mlflow_as_in_its_files(checkout):
    record = make_record(checkout, 1500)
    assert sync(checkout, record) == 1500
    runs = all_runs(checkout)
    assert set(runs) == {"toy", "toy fold 0"}
    run = runs["toy fold 0"]
    require_same_curve(checkout, record)
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_800_000_000_000, 1_800_001_500_000)
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["mlflow.parentRunId"] == runs["toy"].info.run_id
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("toys", "0123")
    assert runs["toy"].info.status == "RUNNING"
    assert runs["toy"].info.artifact_uri.startswith("mlflow-artifacts:/toys/")
    assert set(all_runs(checkout, "tags.stage = 'run'")) == {"toy"}


def test_syncing_again_changes_nothing(checkout):
    finished, failed = make_record(checkout, 20), make_record(checkout, 20, fold=1, status="failed")
    assert sync(checkout, finished, failed) == 40
    before = {name: run.to_dictionary() for name, run in all_runs(checkout).items()}
    assert sync(checkout, finished, failed) == 0
    assert {name: run.to_dictionary() for name, run in all_runs(checkout).items()} == before
    assert len(steps_of(checkout)) == 20
    assert run_of(checkout, "toy fold 1").info.status == "FAILED"


@pytest.mark.parametrize("status", ["running", "stopped", "failed"])
def test_an_interrupted_and_resumed_training_is_one_run_with_one_point_per_step(checkout, status):
    record = make_record(checkout, 30, status=status, ended=None)
    Recovery(sibling(record, ".work"), "key of toy fold 0").save(20, {}, {})
    sync(checkout, record)
    assert run_of(checkout).info.status == ("FAILED" if status == "failed" else "KILLED")
    assert steps_of(checkout) == [*range(1, 21)], "a resume repeats the steps after the checkpoint"
    MetricsFile(sibling(record, ".metrics.jsonl")).cut_back(20)
    change(record, status="running")
    run = RunSync(Store(checkout), record)
    with leased(sibling(record, ".safetensors")):
        run.update()
        assert run_of(checkout).info.status == "RUNNING"
        append(record, range(21, 41))
        change(record, status="finished", ended=1_800_000_099.0)
    run.update()
    require_same_curve(checkout, record)
    assert steps_of(checkout) == [*range(1, 41)]
    assert run_of(checkout).info.status == "FINISHED"


def test_repeated_steps_are_not_sent_again_with_another_time(checkout):
    """The work folder was deleted after a kill, so the training started again at step 1."""
    record = make_record(checkout, 10)
    sync(checkout, record)
    MetricsFile(sibling(record, ".metrics.jsonl")).cut_back(0)
    append(record, range(1, 13))
    change(record, ended=1_800_000_099.0)
    sync(checkout, record)
    assert steps_of(checkout) == [*range(1, 13)]


@pytest.mark.parametrize("changed", [{"key": "other"}, {"code": "other"}])
def test_a_training_with_another_key_or_code_is_another_run(checkout, changed):
    sync(checkout, make_record(checkout, 5))
    sync(checkout, make_record(checkout, 8, **changed))
    store = Store(checkout)
    with store.creating() as client:
        found = client.search_runs([store.experiment("toys")], "tags.stage = 'finetune'")
    assert sorted(len(curve(checkout, run, "train/loss")) for run in found) == [5, 8]


def test_results_are_sent_once_per_scoring_and_only_if_they_are_the_recorded_ones(checkout):
    record = make_record(checkout, 5)
    metrics = record.parent / "metrics.json"
    metrics.write_text(json.dumps({"rows": {"mean": {"f1": 0.1}}}))
    sync(checkout, record)
    assert "test/f1" not in run_of(checkout).data.metrics, "the record does not name the file"
    for ended, f1 in enumerate((0.5, 0.625, 0.625, 0.5)):
        metrics.write_text(json.dumps({"rows": {"mean": {"f1": f1, "auc": 0.75, "frames": 9}, "AU12": {"f1": None}}}))
        change(record, results={"metrics.json": file_hash(metrics)}, ended=1_800_000_005.0 + ended)
        sync(checkout, record)
    run = run_of(checkout)
    assert [(step, value) for step, value, _ in curve(checkout, run, "test/f1")] == [(0, 0.5), (1, 0.625), (2, 0.5)]
    assert [step for step, _, _ in curve(checkout, run, "test/auc")] == [0]
    assert {"test/f1": 0.5, "test/auc": 0.75}.items() <= run.data.metrics.items()


def test_system_metrics_have_mlflows_names_and_survive_a_damaged_line(checkout):
    record = make_record(checkout, 5)
    path = sibling(record, ".system.jsonl")
    SystemSampler(path).append()
    with open(path, "a") as file:
        file.write('{"step": 2, "ti')
    resumed = SystemSampler(path)
    resumed.append()
    resumed.append()
    sync(checkout, record)
    assert steps_of(checkout, "system/cpu_utilization_percentage") == [1, 2, 3]
    metrics = run_of(checkout).data.metrics
    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100
    assert 0 < metrics["system/system_memory_usage_percentage"] < 100


def test_the_earliest_of_two_runs_that_two_machines_created_at_once_is_kept(checkout):
    record = make_record(checkout, 10)
    run = read_record(record).run
    store = Store(checkout)
    with store.creating() as client:
        experiment = store.experiment(run.experiment)
        find_or_create_run(store, experiment, run, 1_800_000_000.0, {})
        tags = {"clef.key": run.key, "clef.code": run.code}
        later = client.create_run(experiment, 1_800_000_001_000, tags, run.name).info.run_id
    sync(checkout, record)
    assert run_of(checkout).info.run_id != later
    assert len(steps_of(checkout)) == 10


def test_an_experiment_in_the_bin_is_restored(checkout):
    store = Store(checkout)
    with store.creating() as client:
        client.delete_experiment(store.experiment("toys"))
    sync(checkout, make_record(checkout, 3))
    assert run_of(checkout)


AT_ONCE = """
import sys
from pathlib import Path
from clef.tracking.store import Store
from clef.tracking.sync import sync_records
print("ready", flush=True)
sys.stdin.readline()
print(sync_records(Store(Path.cwd()), [Path(sys.argv[1])]))
"""


@pytest.mark.slow
def test_16_processes_that_start_at_once_without_a_store_lose_and_double_nothing(bare_checkout):
    records = [make_record(bare_checkout, 25, fold=fold) for fold in range(8)] * 2  # each record by two processes
    commands = [[sys.executable, "-c", AT_ONCE, str(record)] for record in records]
    processes = [subprocess.Popen(each, stdin=-1, stdout=-1, text=True) for each in commands]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=600)[0].endswith(", None)\n")
    runs = all_runs(bare_checkout)
    assert set(runs) == {"toy", *(f"toy fold {fold}" for fold in range(8))}
    assert len({run.info.experiment_id for run in runs.values()}) == 1
    for fold in range(8):
        run = runs[f"toy fold {fold}"]
        assert run.data.tags["mlflow.parentRunId"] == runs["toy"].info.run_id
        assert [step for step, _, _ in curve(bare_checkout, run, "train/loss")] == [*range(1, 26)]
