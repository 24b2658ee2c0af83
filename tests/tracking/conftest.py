import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from clef.tracking.record import Data, Process, Record, Unit, record_path
from clef.tracking.store import Store, local_uri
from clef.training.metrics_file import MetricsFile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A database without runs: making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    Store(folder).require()
    return folder / "results" / "mlflow.db"


@pytest.fixture
def bare_checkout(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder to work in, with no store yet. Followers that were started in it are ended."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for follower in followers_in(tmp_path):
        follower.kill()


@pytest.fixture
def checkout(bare_checkout, empty_store) -> Path:
    """The same with an empty store."""
    (bare_checkout / "results").mkdir()
    shutil.copy(empty_store, bare_checkout / "results")
    return bare_checkout


def followers_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(folder) and (process.info["cmdline"] or [])[-2:] == ["track", "follow"]
    ]


def all_runs(where: Path | str, filter_string: str = "") -> dict[str, Run]:
    """Every run of a store by name; a name that two runs have is an error."""
    client = MlflowClient(local_uri(where) if isinstance(where, Path) else where)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, filter_string, ViewType.ACTIVE_ONLY)
    names = [run.info.run_name for run in runs]
    assert len(set(names)) == len(names), names
    return dict(zip(names, runs, strict=True))


def curve(where: Path | str, run: Run, metric: str) -> list[tuple[int, float, int]]:
    """(step, value, time) of each point, in the order of steps."""
    client = MlflowClient(local_uri(where) if isinstance(where, Path) else where)
    history = client.get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value, point.timestamp) for point in history)


def curve_in_file(target: Path, metric: str) -> list[tuple[int, float, int]]:
    """The same from the metrics file of a training."""
    records = MetricsFile(target.with_suffix(".metrics.jsonl")).read()
    return [(record["step"], record[metric], int(record["time"] * 1000)) for record in records]


def make_record(
    checkout: Path, points: int, *, fold: int = 0, code: str = "c0de", key: str = "", run: str = "toy", **fields
) -> Path:
    """The record of a training and its metrics file, as a training leaves them."""
    target = checkout / "results" / run / "seed0" / f"fold{fold}" / "finetune.safetensors"
    metrics = MetricsFile(target.with_suffix(".metrics.jsonl"))
    metrics.path.unlink(missing_ok=True)
    began = 1_800_000_000.0
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{{"step": {n}, "time": {began + n / 10}, "train/loss": {1 / n}}}\n' for n in range(1, points + 1)]
    metrics.path.write_text("".join(lines))
    key = key or f"key of {run} fold {fold}"
    parent = Unit("toys", run, f"key of {run}", "any", {"epochs": "3"}, {"run": run, "stage": "run"})
    unit = Unit("toys", f"{run} fold {fold}", key, code, {"lr": "0.1"}, {"run": run, "stage": "finetune"})
    data = Data("toys", "0123456789abcdef", "data/manifest.parquet")
    ended = {"process": Process.own(), "status": "finished", "ended": began + points}
    Record(unit=unit, parent=parent, data=data, started=began, **{**ended, **fields}).write(record_path(target))
    return record_path(target)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A real MLflow server on loopback, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_until(self.answers, 120)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            for child in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                child.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path_factory, empty_store) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "mlflow.db")
    server = Server(folder)
    yield server
    server.kill()


@contextmanager
def http_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that gives one answer to everything; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_PATCH = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def wait_until(happened: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.05)
