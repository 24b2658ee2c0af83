import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from clef.tracking.record import Record, RunDescription, record_path
from clef.tracking.store import Store
from clef.training.metrics_file import MetricsFile

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 600


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A database without runs. Creating one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    Store(folder).require()
    return folder / "results" / "mlflow.db"


@pytest.fixture
def bare_checkout(tmp_path, monkeypatch) -> Iterator[Path]:
    """A current folder without a store. Child processes that still sync in it are killed at the end."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[-3:-1] == ["track", "follow"] and words[-1].startswith(str(tmp_path)):
            process.kill()


@pytest.fixture
def checkout(bare_checkout, empty_store) -> Path:
    """The same folder with an empty store."""
    (bare_checkout / "results").mkdir()
    shutil.copy(empty_store, bare_checkout / "results")
    return bare_checkout


def local_uri(checkout: Path) -> str:
    """Address of a checkout's own store."""
    return f"sqlite:///{checkout}/results/mlflow.db"


def client_of(store: Path | str) -> MlflowClient:
    """A client of a checkout's own store, or of the store with an address."""
    return MlflowClient(local_uri(store) if isinstance(store, Path) else store)


def all_runs(store: Path | str, filter_string: str = "") -> dict[str, Run]:
    """Every run of a store by name; no two runs may have the same name."""
    client = client_of(store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, filter_string, ViewType.ACTIVE_ONLY)
    names = [run.info.run_name for run in runs]
    assert len(set(names)) == len(names), names
    return dict(zip(names, runs, strict=True))


def curve(store: Path | str, run: Run, metric: str) -> list[tuple[int, float, int]]:
    """(step, value, time) of each point in MLflow, in the order of steps."""
    history = client_of(store).get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value, point.timestamp) for point in history)


def curve_in_file(target: Path, metric: str) -> list[tuple[int, float, int]]:
    """The same from the metrics file of a training."""
    records = MetricsFile(target.with_suffix(".metrics.jsonl")).read()
    return [(record["step"], record[metric], int(record["time"] * 1000)) for record in records]


def make_record(
    checkout: Path, points: int, *, fold: int = 0, code: str = "c0de", key: str = "", run: str = "toy", **fields
) -> Path:
    """Write the record and the metrics file of a training; it has finished if `fields` say nothing else."""
    target = checkout / "results" / run / "seed0" / f"fold{fold}" / "finetune.safetensors"
    began = 1_800_000_000.0
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{{"step": {n}, "time": {began + n / 10}, "train/loss": {1 / n}}}\n' for n in range(1, points + 1)]
    target.with_suffix(".metrics.jsonl").write_text("".join(lines))
    key = key or f"key of {run} fold {fold}"
    parent = RunDescription("toys", run, f"key of {run}", "any", {"epochs": "3"}, {"run": run, "stage": "run"})
    training = RunDescription("toys", f"{run} fold {fold}", key, code, {"lr": "0.1"}, {"run": run, "stage": "finetune"})
    values = {"started": began, "resumed": began, "status": "finished", "ended": began + points, **fields}
    Record(run=training, parent=parent, manifest="m.parquet", manifest_hash="0123", **values).write(record_path(target))
    return record_path(target)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def pages(checkout: Path, port: int) -> Iterator[str]:
    """Run `clef track ui` in a checkout; yields its address."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "clef", "track", "ui", "--port", str(port)]

    def is_healthy() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            return response.status == 200
        return False

    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL) as served:
        try:
            wait_until(is_healthy)
            yield f"http://127.0.0.1:{port}"
        finally:
            served.terminate()


@contextmanager
def http_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that gives the same answer to every request; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_PATCH = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def wait_until(happened: Callable[[], bool], seconds: float = HANG_SECONDS) -> None:
    """Wait for a condition; the limit only keeps a broken test from hanging."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.05)
