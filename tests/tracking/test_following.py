"""Real trainings with a real follower, and stores that are absent, broken, hanging or killed."""

import logging
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from clef.tracking.following import FINISH_SECONDS
from clef.tracking.record import read_record, record_path
from clef.tracking.sync import sync
from tests.tracking.conftest import (
    ROOT,
    all_runs,
    curve,
    curve_in_file,
    followers_in,
    free_port,
    http_server,
    make_record,
    wait_until,
)
from tests.tracking.training import train

pytestmark = pytest.mark.slow

NAME = "toy seed 0 fold 0 pretrain"


def start_training(folder: Path, epochs: int, every_steps: int, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.tracking.training", str(folder), str(epochs), str(every_steps)]
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, stderr=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def untracked(tmp_path_factory) -> Path:
    """The weights of the same training with tracking off."""
    return train(tmp_path_factory.mktemp("untracked"), 1, 3, mlflow=False)


def same_bytes(target: Path, other: Path) -> bool:
    return all(
        target.with_suffix(suffix).read_bytes() == other.with_suffix(suffix).read_bytes()
        for suffix in (".safetensors", ".json")
    )


def told(caplog) -> list[str]:
    """What the log says about tracking."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("clef.tracking")]


def answer_500(request: BaseHTTPRequestHandler) -> None:
    request.send_error(500)


def hang(request: BaseHTTPRequestHandler) -> None:
    time.sleep(120)


def test_tracking_changes_no_byte_and_mlflow_has_everything(checkout, untracked, caplog):
    with caplog.at_level(logging.WARNING, "clef.tracking"):
        target = train(checkout, 1, 3, mlflow=True)
    assert same_bytes(target, untracked)
    assert not told(caplog)
    run = all_runs(checkout)[NAME]
    assert curve(checkout, run, "train/loss") == curve_in_file(target, "train/loss")
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize("server", ["absent", "answers 500", "hangs"])
def test_a_broken_server_changes_no_byte_and_sync_completes_it(checkout, untracked, caplog, monkeypatch, server):
    def training() -> Path:
        with caplog.at_level(logging.WARNING, "clef.tracking"):
            return train(checkout, 1, 3, mlflow=True)

    began = time.monotonic()
    if server == "absent":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        target = training()
    else:
        with http_server(answer_500 if server == "answers 500" else hang) as uri:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            target = training()
    assert time.monotonic() - began < FINISH_SECONDS + 30
    assert same_bytes(target, untracked)
    (line,) = told(caplog)
    assert line.startswith("tracking: MLflow lacks part of pretrain of toy (")
    assert line.endswith("clef track sync toy")
    assert "\n" not in line
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (done,) = sync(checkout / "results", ["toy"])
    points = len(curve_in_file(target, "train/loss"))
    assert done.values >= points
    run = all_runs(checkout)[NAME]
    assert curve(checkout, run, "train/loss") == curve_in_file(target, "train/loss")
    (again,) = sync(checkout / "results", ["toy"])
    assert (again.values, again.complete) == (0, again.trainings)


def test_a_server_killed_and_restarted_in_mid_run_has_every_point_once(bare_checkout, server):
    server.start()
    target = bare_checkout / "results" / "toy" / "seed0" / "fold0" / "pretrain.safetensors"
    training = start_training(bare_checkout, 120, 5, MLFLOW_TRACKING_URI=server.uri)

    def shown() -> int:
        run = all_runs(server.uri).get(NAME)
        return 0 if run is None else len(curve(server.uri, run, "train/loss"))

    wait_until(lambda: shown() > 0, 120)
    server.kill()
    before = len(curve_in_file(target, "train/loss"))
    wait_until(lambda: len(curve_in_file(target, "train/loss")) > before + 20, 60)
    assert training.poll() is None
    server.start()
    assert training.wait(300) == 0
    subprocess.run(
        [sys.executable, "-m", "clef", "track", "sync"],
        cwd=bare_checkout,
        env=os.environ | {"MLFLOW_TRACKING_URI": server.uri},
        check=True,
    )
    run = all_runs(server.uri)[NAME]
    assert run.info.status == "FINISHED"
    assert curve(server.uri, run, "train/loss") == curve_in_file(target, "train/loss")


def test_a_killed_and_resumed_training_is_one_run_with_unbroken_steps(checkout):
    target = checkout / "results" / "toy" / "seed0" / "fold0" / "pretrain.safetensors"
    training = start_training(checkout, 40, 10)

    def shown() -> bool:
        run = all_runs(checkout).get(NAME)
        return run is not None and "train/loss" in run.data.metrics

    wait_until(shown, 120)
    training.send_signal(signal.SIGKILL)
    training.wait()
    assert read_record(record_path(target)).interrupted
    wait_until(lambda: all_runs(checkout)[NAME].info.status == "KILLED", 120)
    resumed = start_training(checkout, 40, 10)
    assert resumed.wait(240) == 0
    # On a busy machine the training may end before the follower has caught up with it.
    wait_until(lambda: all_runs(checkout)[NAME].info.status == "FINISHED", 120)
    run = all_runs(checkout)[NAME]
    points = curve(checkout, run, "train/loss")
    assert points == curve_in_file(target, "train/loss")
    assert [step for step, _, _ in points] == list(range(1, len(points) + 1))
    undisturbed = train(checkout / "undisturbed", 40, 10, mlflow=False)
    assert target.read_bytes() == undisturbed.read_bytes()
    assert [value for _, value, _ in points] == [value for _, value, _ in curve_in_file(undisturbed, "train/loss")]


def test_a_follower_ends_by_itself_and_clears_its_desk(checkout):
    train(checkout, 1, 3, mlflow=True)
    assert len(followers_in(checkout)) == 1
    wait_until(lambda: not followers_in(checkout), 60)
    assert {path.name for path in (checkout / "results" / ".mlflow").rglob("*.*")} == {"follower.lock"}


AT_ONCE = """
import sys, time
from pathlib import Path
from clef.tracking.store import Store
from clef.tracking.view import View
print("ready", flush=True)
sys.stdin.readline()
View(Store(Path.cwd()), Path(sys.argv[1])).agree()
"""


def test_16_processes_at_one_moment_on_no_store(bare_checkout):
    records = [make_record(bare_checkout, 25, fold=fold) for fold in range(16)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, str(record)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for record in records
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(300) for process in processes] == [0] * 16
    runs = all_runs(bare_checkout)
    assert set(runs) == {"toy", *(f"toy fold {fold}" for fold in range(16))}
    assert len({run.info.experiment_id for run in runs.values()}) == 1
    for fold in range(16):
        run = runs[f"toy fold {fold}"]
        assert run.data.tags["mlflow.parentRunId"] == runs["toy"].info.run_id
        assert len(curve(bare_checkout, run, "train/loss")) == 25


TRACKED = """
import sys
from pathlib import Path
from clef.tracking.tracked import tracked_training
from clef.training.metrics_file import MetricsFile
from tests.toy import toy_params
params, fold = toy_params(tracking={"mlflow": True}), int(sys.argv[1])
target = Path(f"results/toy/seed0/fold{fold}/pretrain.safetensors")
sidecar = {"stage": "pretrain", "seed": 0, "fold": fold, "steps": 5, "manifest": "m" * 64, "package": "p"}
print("ready", flush=True)
sys.stdin.readline()
with tracked_training(params, target, Path("manifest.parquet"), f"key {fold}", sidecar, "cpu"):
    for step in range(1, 6):
        MetricsFile(target.with_suffix(".metrics.jsonl")).append(step, {"train/loss": 1 / step})
"""


def test_16_trainings_at_one_moment_on_no_store_share_a_follower(bare_checkout):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRACKED, str(fold)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for fold in range(16)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(120) for process in processes] == [0] * 16
    wait_until(lambda: len(followers_in(bare_checkout)) <= 1, 30)
    (*_,) = sync(bare_checkout / "results", [])
    runs = all_runs(bare_checkout)
    assert len(runs) == 17
    for fold in range(16):
        run = runs[f"toy seed 0 fold {fold} pretrain"]
        assert run.info.status == "FINISHED"
        assert [step for step, _, _ in curve(bare_checkout, run, "train/loss")] == [1, 2, 3, 4, 5]
