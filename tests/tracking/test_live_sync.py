"""Real trainings with stores that work, are missing, broken, locked or hanging, and trainings that are interrupted."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from clef.tracking import live_sync
from clef.tracking.store import Store
from clef.tracking.sync import sync_records
from clef.training.inputs import Inputs
from tests.toy import make_toy, toy_params
from tests.tracking import conftest
from tests.tracking.conftest import (
    HANG_SECONDS,
    all_runs,
    curve,
    curve_in_file,
    free_port,
    local_uri,
    make_record,
    pages,
    wait_until,
)

NAME = "toy seed 0 fold 0 pretrain"
LONG = 100_000
"""Epochs of a training that a test interrupts."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Inputs:
    return make_toy(tmp_path_factory.mktemp("data"), toy_params())


def start_training(
    folder: Path, data: Inputs, epochs: int, every_steps: int, mlflow: bool = True, **environment: str
) -> subprocess.Popen[str]:
    """Start `clef pretrain` in a checkout."""
    settings = {"epochs": epochs, "checkpoint": {"every_steps": every_steps}}
    params = toy_params(pretrain=settings, tracking={"mlflow": mlflow}).model_dump(mode="json", by_alias=True)
    (folder / "params").mkdir(exist_ok=True)
    (folder / "params" / "toy.yaml").write_text(yaml.safe_dump(params))
    command = [sys.executable, "-m", "clef", "pretrain", "toy", "--seed", "0", "--fold", "0"]
    command += ["--manifest", str(data.manifest), "--crops", str(data.manifest.parent), "--out", str(target_in(folder))]
    environment = {"PYTHONPATH": str(conftest.ROOT), **environment}
    return subprocess.Popen(command, cwd=folder, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


def end(training: subprocess.Popen[str], interrupt: bool = False) -> tuple[int, list[str]]:
    """Exit code of a training, after SIGTERM if requested, and what it says about tracking or imports of MLflow."""
    if interrupt:
        training.terminate()
    _, errors = training.communicate(timeout=HANG_SECONDS)
    return training.returncode, [line for line in errors.splitlines() if re.search(r"tracking:|\| +mlflow\b", line)]


def target_in(folder: Path) -> Path:
    return folder / "results" / "toy" / "seed0" / "fold0" / "pretrain.safetensors"


def steps_in_file(folder: Path) -> int:
    return len(curve_in_file(target_in(folder), "train/loss"))


def steps_shown(store: Path | str) -> int:
    run = all_runs(store).get(NAME)
    return 0 if run is None else len(curve(store, run, "train/loss"))


def sync_toy(folder: Path) -> None:
    assert sync_records(Store(folder), [target_in(folder).with_suffix(".track.json")])[1] is None


def require_complete(folder: Path, store: Path | str, status: str = "FINISHED") -> None:
    """Require one run with every step of the metrics file once, at its original time."""
    run = all_runs(store)[NAME]
    points = curve(store, run, "train/loss")
    assert points == curve_in_file(target_in(folder), "train/loss")
    assert [step for step, *_ in points] == [*range(1, len(points) + 1)]
    assert run.info.status == status


@pytest.fixture(scope="module")
def weights_without_mlflow(tmp_path_factory, data) -> bytes:
    folder = tmp_path_factory.mktemp("without")
    assert end(start_training(folder, data, 1, 3, mlflow=False)) == (0, [])
    return target_in(folder).read_bytes()


@pytest.mark.slow
def test_tracking_changes_no_byte_and_mlflow_has_everything(checkout, data, weights_without_mlflow):
    code, lines = end(start_training(checkout, data, 1, 3, PYTHONPROFILEIMPORTTIME="1"))
    assert code == 0
    if lines:  # on a busy machine, the last sync may take longer than a job waits
        assert ["not finished after" in line for line in lines] == [True]
        sync_toy(checkout)
    assert target_in(checkout).read_bytes() == weights_without_mlflow
    require_complete(checkout, checkout)


@contextmanager
def broken_store(kind: str, checkout: Path) -> Iterator[str]:
    """Address of a store that does not work."""
    if kind == "missing":
        yield f"http://127.0.0.1:{free_port()}"
    elif kind == "answers 500":
        with conftest.http_server(lambda request: request.send_error(500)) as uri:
            yield uri
    elif kind == "hangs":
        ended = threading.Event()
        with conftest.http_server(lambda request: ended.wait() and None) as uri:
            yield uri
            ended.set()
    else:
        database = sqlite3.connect(checkout / "results" / "mlflow.db")
        database.execute("BEGIN EXCLUSIVE")
        yield local_uri(checkout)
        database.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "answers 500", "hangs", "locked"])
def test_a_broken_store_changes_no_byte_and_a_sync_completes_it(checkout, data, weights_without_mlflow, kind):
    with broken_store(kind, checkout) as uri:
        code, warnings = end(start_training(checkout, data, 1, 3, MLFLOW_TRACKING_URI=uri))
    assert (code, target_in(checkout).read_bytes()) == (0, weights_without_mlflow)
    (line,) = warnings
    assert "tracking: MLflow lacks part of pretrain of toy (" in line
    assert line.endswith("run: clef track sync toy")
    sync_toy(checkout)
    require_complete(checkout, checkout)


@pytest.mark.slow
def test_sigterm_is_not_delayed_by_a_server_that_never_answers(checkout, data):
    with broken_store("hangs", checkout) as uri:
        patient = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": str(HANG_SECONDS)}
        training = start_training(checkout, data, LONG, 10, **patient)
        wait_until(lambda: steps_in_file(checkout) > 20)
        assert end(training, interrupt=True) == (75, []), "a line about tracking would show that it waited"
    sync_toy(checkout)
    require_complete(checkout, checkout, "KILLED")


def test_sigterm_during_the_last_sync_ends_only_the_wait():
    script = "import os, signal, sys; sys.stdin.read(); os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    handler = signal.getsignal(signal.SIGTERM)
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) as child:
        failure = live_sync._wait(child)
        child.kill()
    assert failure == "interrupted by SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.slow
def test_a_restarted_server_gets_every_point_once(bare_checkout, data, tmp_path_factory, monkeypatch):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with pages(folder, port) as uri:
        training = start_training(bare_checkout, data, LONG, 5, MLFLOW_TRACKING_URI=uri)
        wait_until(lambda: steps_shown(uri) > 0)
    before = steps_in_file(bare_checkout)
    wait_until(lambda: steps_in_file(bare_checkout) > before + 20)
    with pages(folder, port):
        wait_until(lambda: steps_shown(uri) > before)
        assert end(training, interrupt=True) == (75, [])
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        sync_toy(bare_checkout)
        require_complete(bare_checkout, uri, "KILLED")


@pytest.mark.slow
def test_a_killed_and_resumed_training_is_one_run_with_one_curve(checkout, data):
    training = start_training(checkout, data, LONG, 10)
    wait_until(lambda: steps_shown(checkout) > 0)
    training.kill()
    training.communicate()
    wait_until(lambda: all_runs(checkout)[NAME].info.status == "KILLED")
    before = steps_shown(checkout)
    training = start_training(checkout, data, LONG, 10)
    wait_until(lambda: all_runs(checkout)[NAME].info.status == "RUNNING" and steps_shown(checkout) > before)
    assert end(training, interrupt=True) == (75, [])
    wait_until(lambda: all_runs(checkout)[NAME].info.status == "KILLED")
    require_complete(checkout, checkout, "KILLED")


def test_a_folder_as_store_is_the_reason_why_a_sync_is_incomplete(checkout, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with open(os.devnull) as closed:
        failure = live_sync.follow(make_record(checkout, 3), closed)
    assert failure is not None
    assert failure.startswith("MLFLOW_TRACKING_URI=./mlruns: is a path, ")


def test_the_last_sync_of_a_summary_includes_all_trainings_of_the_run(checkout):
    for fold in (0, 1):
        make_record(checkout, 3, fold=fold)
    record = checkout / "results" / "toy" / "run.track.json"
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert live_sync.follow(record, pipe) is None
    assert set(all_runs(checkout)) == {"toy", "toy fold 0", "toy fold 1"}
