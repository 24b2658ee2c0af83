"""A record and its files, and what MLflow has of them; a real sqlite store."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from clef.runtime.files import file_hash
from clef.runtime.lease import STALE_SECONDS
from clef.tracking.record import Process, read_record, sibling
from clef.tracking.store import Store
from clef.tracking.system import System, append_sample
from clef.tracking.view import View, find_or_create
from clef.training.checkpoint import Recovery
from clef.training.metrics_file import MetricsFile
from tests.tracking.conftest import all_runs, curve, curve_in_file, make_record


def weights_of(record: Path) -> Path:
    return sibling(record, ".safetensors")


def change(record: Path, **fields) -> None:
    found = read_record(record)
    assert found is not None
    replace(found, **fields).write(record)


def dead_process() -> Process:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(Process.own().host, child.pid, psutil.Process(child.pid).create_time())
    child.kill()
    child.wait()
    return process


def test_a_finished_training_is_in_mlflow_as_its_files_say(checkout):
    record = make_record(checkout, 1500)
    View(Store(checkout), record).agree()
    runs = all_runs(checkout)
    assert set(runs) == {"toy", "toy fold 0"}
    run = runs["toy fold 0"]
    assert curve(checkout, run, "train/loss") == curve_in_file(weights_of(record), "train/loss")
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_800_000_000_000, 1_800_001_500_000)
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["mlflow.parentRunId"] == runs["toy"].info.run_id
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("toys", "0123456789abcdef")
    assert runs["toy"].info.status == "RUNNING"


def test_again_changes_nothing(checkout):
    record = make_record(checkout, 20)
    View(Store(checkout), record).agree()
    before = all_runs(checkout)
    again = View(Store(checkout), record)
    again.agree()
    assert again.already_complete
    assert again.sent_now == 0
    after = all_runs(checkout)
    assert {name: run.to_dictionary() for name, run in after.items()} == {
        name: run.to_dictionary() for name, run in before.items()
    }
    assert len(curve(checkout, after["toy fold 0"], "train/loss")) == 20


def test_a_running_training_shows_only_what_no_resume_can_write_again(checkout):
    record = make_record(checkout, 30, status="running", ended=None, steps=100)
    view = View(Store(checkout), record)
    view.agree()
    assert "train/loss" not in all_runs(checkout)["toy fold 0"].data.metrics
    Recovery(sibling(record, ".work"), "key of toy fold 0").save(20, {}, {})
    view.agree()
    run = all_runs(checkout)["toy fold 0"]
    assert [step for step, _, _ in curve(checkout, run, "train/loss")] == list(range(1, 21))
    assert run.info.status == "RUNNING"
    assert run.data.tags["clef.runtime.progress"] == "step 30 of 100"


def test_a_resumed_training_is_one_run_with_one_point_a_step(checkout):
    record = make_record(checkout, 30, status="running", ended=None, process=dead_process())
    Recovery(sibling(record, ".work"), "key of toy fold 0").save(20, {}, {})
    View(Store(checkout), record).agree()
    assert all_runs(checkout)["toy fold 0"].info.status == "KILLED"
    metrics = MetricsFile(sibling(record, ".metrics.jsonl"))
    metrics.cut_back(20)
    change(record, process=Process.own())
    view = View(Store(checkout), record)
    view.agree()
    assert all_runs(checkout)["toy fold 0"].info.status == "RUNNING"
    for step in range(21, 41):
        metrics.append(step, {"train/loss": 1 / step})
    change(record, status="finished", ended=1_800_000_099.0)
    view.agree()
    run = all_runs(checkout)["toy fold 0"]
    assert curve(checkout, run, "train/loss") == curve_in_file(weights_of(record), "train/loss")
    assert [step for step, _, _ in curve(checkout, run, "train/loss")] == list(range(1, 41))
    assert run.info.status == "FINISHED"


def test_a_view_that_lasts_sees_a_killed_training_go_on(checkout):
    record = make_record(checkout, 5, status="running", ended=None, process=dead_process())
    view = View(Store(checkout), record)
    for process, status in ((Process.own(), "RUNNING"), (dead_process(), "KILLED"), (Process.own(), "RUNNING")):
        change(record, process=process)
        view.agree()
        assert all_runs(checkout)["toy fold 0"].info.status == status


def test_a_view_that_lasts_tells_one_training_from_the_next_at_the_same_place(checkout):
    record = make_record(checkout, 5, key="first")
    view = View(Store(checkout), record)
    view.agree()
    assert make_record(checkout, 8, key="second") == record
    view.agree()
    store = Store(checkout)
    with store.creating() as client:
        found = client.search_runs([store.experiment("toys")], "tags.stage = 'finetune'")
    counts = {run.data.tags["clef.key"]: len(curve(checkout, run, "train/loss")) for run in found}
    assert counts == {"first": 5, "second": 8}


def test_a_step_that_is_there_is_not_sent_again_with_another_time(checkout):
    """As when work folders were removed after a kill, and the training began once more."""
    record = make_record(checkout, 10)
    View(Store(checkout), record).agree()
    metrics = MetricsFile(sibling(record, ".metrics.jsonl"))
    metrics.cut_back(0)
    for step in range(1, 13):
        metrics.append(step, {"train/loss": 1 / step})
    change(record, ended=1_800_000_099.0)
    View(Store(checkout), record).agree()
    assert [step for step, _, _ in curve(checkout, all_runs(checkout)["toy fold 0"], "train/loss")] == [*range(1, 13)]


def test_a_failed_training_shows_how_far_it_came(checkout):
    record = make_record(checkout, 7, status="failed")
    View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert run.info.status == "FAILED"
    assert len(curve(checkout, run, "train/loss")) == 7


def test_a_failed_training_that_may_go_on_shows_only_what_no_resume_can_write_again(checkout):
    record = make_record(checkout, 30, status="failed")
    work = sibling(record, ".work")
    Recovery(work, "key of toy fold 0").save(20, {}, {})
    View(Store(checkout), record).agree()
    assert all_runs(checkout)["toy fold 0"].info.status == "FAILED"
    assert [step for step, _, _ in curve(checkout, all_runs(checkout)["toy fold 0"], "train/loss")] == [*range(1, 21)]
    metrics = MetricsFile(sibling(record, ".metrics.jsonl"))
    metrics.cut_back(20)
    for step in range(21, 41):
        metrics.append(step, {"train/loss": 2 / step})
    shutil.rmtree(work)
    change(record, status="finished", ended=1_800_000_099.0)
    View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert curve(checkout, run, "train/loss") == curve_in_file(weights_of(record), "train/loss")


def lease_of_another_host(record: Path, age: float) -> None:
    holder = {"token": "t", "host": "elsewhere", "process": 7, "started": 1.0, "job": None}
    sibling(record, ".lease").write_text(json.dumps({**holder, "heartbeat": time.time() - age}))


def test_a_training_that_was_lost_with_its_node_is_not_running(checkout):
    record = make_record(checkout, 5, status="running", ended=None, process=Process("elsewhere", 7, 1.0))
    for age, status in ((5, "RUNNING"), (2 * STALE_SECONDS, "KILLED"), (5, "RUNNING")):
        lease_of_another_host(record, age)
        View(Store(checkout), record).agree()
        assert all_runs(checkout)["toy fold 0"].info.status == status
    sibling(record, ".lease").unlink()
    View(Store(checkout), record).agree()
    assert all_runs(checkout)["toy fold 0"].info.status == "KILLED"


def test_the_same_training_by_other_code_is_another_run(checkout):
    View(Store(checkout), make_record(checkout, 5)).agree()
    View(Store(checkout), make_record(checkout, 6, code="changed")).agree()
    store = Store(checkout)
    with store.creating() as client:
        found = client.search_runs([store.experiment("toys")], "tags.stage = 'finetune'")
    assert sorted(run.data.tags["clef.code"] for run in found) == ["c0de", "changed"]


def test_results_go_to_the_run_once_and_only_if_they_are_of_this_training(checkout):
    record = make_record(checkout, 5)
    metrics = record.parent / "metrics.json"
    rows = {"mean": {"f1": 0.5, "auc": None, "frames": 9}, "AU12": {"f1": 0.625, "auc": 0.7}}
    metrics.write_text(json.dumps({"rows": rows}))
    View(Store(checkout), record).agree()
    assert "test/f1" not in all_runs(checkout)["toy fold 0"].data.metrics
    for ended in (1_800_000_005.0, 1_800_000_006.0):
        change(record, results={"metrics.json": file_hash(metrics)}, ended=ended)
        View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    scores = {name: value for name, value in run.data.metrics.items() if name.startswith("test/")}
    assert scores == {"test/f1": 0.5, "test/f1_AU12": 0.625}
    assert len(curve(checkout, run, "test/f1")) == 1


def test_results_of_another_scoring_are_another_step(checkout):
    record = make_record(checkout, 5)
    metrics = record.parent / "metrics.json"
    for number, f1 in enumerate((0.5, 0.625, 0.5)):
        metrics.write_text(json.dumps({"rows": {"mean": {"f1": f1, "auc": 0.75}}}))
        change(record, results={"metrics.json": file_hash(metrics)}, ended=1_800_000_005.0 + number)
        View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert [(step, value) for step, value, _ in curve(checkout, run, "test/f1")] == [(0, 0.5), (1, 0.625), (2, 0.5)]
    assert [step for step, _, _ in curve(checkout, run, "test/auc")] == [0]
    assert run.data.metrics["test/f1"] == 0.5


def test_system_metrics_have_the_names_that_mlflow_shows_and_go_on_after_a_resume(checkout):
    record = make_record(checkout, 5, status="running", ended=None)
    sample = {"system/cpu_utilization_percentage": 12.5, "system/system_memory_usage_percentage": 40.0}
    for _ in range(2):
        append_sample(sibling(record, ".system.jsonl"), sample)
    View(Store(checkout), record).agree()
    append_sample(sibling(record, ".system.jsonl"), sample)
    View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert [step for step, _, _ in curve(checkout, run, "system/cpu_utilization_percentage")] == [1, 2, 3]


def test_a_torn_line_of_either_file_keeps_nothing_else_from_mlflow(checkout):
    record = make_record(checkout, 3)
    for suffix, metric in ((".metrics.jsonl", "train/loss"), (".system.jsonl", "system/a")):
        with open(sibling(record, suffix), "a") as file:
            file.write(f'{{"step": 4, "tim\n{{"step": 5, "time": 1800000009.0, "{metric}": 0.25}}\n')
    View(Store(checkout), record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert [step for step, _, _ in curve(checkout, run, "train/loss")] == [1, 2, 3, 5]
    assert [step for step, _, _ in curve(checkout, run, "system/a")] == [5]


def test_a_sample_of_this_machine(tmp_path):
    system = System()
    assert system.sample_when_due() is None
    system._due = 0.0
    sample = system.sample_when_due()
    assert sample is not None
    assert 0 <= sample["system/cpu_utilization_percentage"] <= 100
    assert 0 < sample["system/system_memory_usage_percentage"] < 100


def test_of_two_runs_that_two_machines_made_at_once_the_earliest_gets_everything(checkout):
    record = make_record(checkout, 10)
    unit = read_record(record).unit
    store = Store(checkout)
    with store.creating() as client:
        experiment = store.experiment(unit.experiment)
        find_or_create(store, experiment, unit, 1_800_000_000.0, {})
        late = client.create_run(
            experiment, 1_800_000_001_000, {"clef.key": unit.key, "clef.code": unit.code}, unit.name
        ).info.run_id
    View(store, record).agree()
    run = all_runs(checkout)["toy fold 0"]
    assert run.info.run_id != late
    assert len(curve(checkout, run, "train/loss")) == 10


def test_parameters_that_a_kill_kept_from_the_store_come_later(checkout):
    record = make_record(checkout, 3)
    found = read_record(record)
    store = Store(checkout)
    with store.creating():
        experiment = store.experiment("toys")
        find_or_create(store, experiment, replace(found.unit, params={}), found.started, {})
    View(store, record).agree()
    assert all_runs(checkout)["toy fold 0"].data.params == {"lr": "0.1"}


def test_an_experiment_in_the_bin_is_taken_out(checkout):
    record = make_record(checkout, 3)
    store = Store(checkout)
    with store.creating() as client:
        client.delete_experiment(store.experiment("toys"))
    View(Store(checkout), record).agree()
    assert "toy fold 0" in all_runs(checkout)


def test_runs_are_found_by_tag_with_their_parent(checkout):
    for run in ("a", "b"):
        View(Store(checkout), make_record(checkout, 3, run=run)).agree()
    assert set(all_runs(checkout, "tags.run = 'a'")) == {"a", "a fold 0"}
    assert set(all_runs(checkout, "tags.stage = 'run'")) == {"a", "b"}


def test_artifacts_lie_at_one_absolute_place(checkout):
    View(Store(checkout), make_record(checkout, 3)).agree()
    uri = all_runs(checkout)["toy"].info.artifact_uri
    assert uri.startswith((checkout / "results" / "mlartifacts" / "toys").as_uri())
