"""docs/publishing.md: every command and every example works, and the served model predicts like the workflow."""

import ast
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from mlflow import MlflowClient

from clef.tracking.record import RUN_RECORD, Record, RunDescription
from clef.tracking.store import Store
from clef.tracking.sync import find_or_create_run
from clef.trained.load import load_model
from tests.documentation import code_blocks
from tests.toy import toy_params
from tests.tracking.conftest import empty_store, free_port, local_uri, wait_until
from tests.trained.conftest import LABELS
from tests.trained.test_mlflow_model import shard_crops
from tests.workflow.conftest import ROOT, shell

__all__ = ["empty_store"]

PAGE = ROOT / "docs" / "publishing.md"
TRACKED = RunDescription("toy", "demo", "key", "any", {"epochs": "3"}, {"run": "demo"})

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(toy_run, empty_store, tmp_path, monkeypatch):
    """A checkout with a finished and tracked run `demo`, and a picture."""
    shutil.copytree(toy_run[0], tmp_path / "results" / "demo")
    shutil.copy(empty_store, tmp_path / "results")
    Record(run=TRACKED, parent=None, manifest="m", manifest_hash="0", started=1.0, resumed=1.0).write(
        tmp_path / "results" / "demo" / RUN_RECORD
    )
    image = np.random.default_rng(0).integers(0, 256, (50, 44, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "face.png"), image)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return tmp_path


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def python(checkout: Path, code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout


@contextmanager
def served(checkout: Path, command: str, page: str):
    """Run the command of a server until a page answers and the block ends, and end all of its processes."""
    log = (checkout / "serve.log").open("wb")

    def is_ready() -> bool:
        assert server.poll() is None, (checkout / "serve.log").read_text()
        with suppress(OSError), urllib.request.urlopen(page, timeout=2) as response:
            return response.status == 200
        return False

    with log, subprocess.Popen(["bash", "-c", command], cwd=checkout, stdout=log, stderr=log) as server:
        try:
            wait_until(is_ready)
            yield
        finally:
            for process in [*psutil.Process(server.pid).children(recursive=True), server]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def test_every_command_works_and_the_served_model_predicts_like_the_workflow(checkout):
    *exports, serve = code_blocks(PAGE)
    printed = [shell(checkout, command) for command in exports]
    assert [text.count("\n") for text in printed] == [1, 1, 2]
    assert "\nmodels:/demo-faces/1 in sqlite:///" in printed[-1]

    client = MlflowClient(local_uri(checkout))
    version = client.get_model_version("demo-faces", "1")
    run = find_or_create_run(Store(checkout), Store(checkout).experiment("toy"), TRACKED, 1.0, {})
    assert (version.run_id, run.info.status) == (run.info.run_id, "RUNNING")
    assert len(client.search_runs([run.info.experiment_id])) == 1

    in_python, with_onnx, request = examples()
    model, image = load_model(checkout / "demo-model", device="cpu"), cv2.imread(str(checkout / "face.png"))
    for example in (in_python, with_onnx):
        probabilities = ast.literal_eval(python(checkout, example))
        assert list(probabilities) == LABELS
        assert all(0 < value < 1 for value in probabilities.values())

    port, pages = free_port(), free_port()
    serve = serve.replace("5000", str(pages)).replace("5001", str(port))
    with (
        served(checkout, f"python -m clef track ui --port {pages}", f"http://127.0.0.1:{pages}/health"),
        served(checkout, serve, f"http://127.0.0.1:{port}/ping"),
    ):
        (row,) = ast.literal_eval(python(checkout, request.replace("5001", str(port))))
    (expected,) = model.predict(shard_crops(checkout, [image], toy_params().crop))[0].tolist()
    assert row["status"] == "detected"
    assert [row[f"p_{label}"] for label in LABELS] == expected
    assert [row[label] for label in LABELS] == [int(value >= 0.5) for value in expected]
