import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import mlflow
import pytest
import yaml

from clef.errors import ClefError
from clef.tracking.store import Store
from clef.trained.registry import PACKAGES, register_model
from tests.tracking.conftest import bare_checkout, checkout, client_of, empty_store

__all__ = ["bare_checkout", "checkout", "empty_store"]

ROOT = Path(__file__).parents[2]
UNNEEDED = {"clef", "opencv-python", "pip", "pydot", "setuptools"}
"""This package, another build of OpenCV, and what other packages import only if it is installed."""

SERVE = """
import importlib.metadata, sys
import numpy as np, pandas as pd
from clef.trained.mlflow_model import _load_pyfunc
_load_pyfunc(sys.argv[1]).predict(pd.DataFrame({"image": ["aGVsbG8="]}))
found = importlib.metadata.packages_distributions()
print(*{name for module in sys.modules for name in found.get(module, ())})
"""


@pytest.fixture(autouse=True)
def forget_store():
    yield
    mlflow.set_tracking_uri(None)


def test_every_registration_is_a_new_version_with_pinned_packages(toy_run, exported, checkout):
    lines = [register_model(exported, "faces", toy_run[0], Store(checkout)) for _ in range(2)]
    assert [line.split(" in ")[0] for line in lines] == ["models:/faces/1", "models:/faces/2"]
    client = client_of(checkout)
    version = client.get_model_version("faces", "2")
    assert version.run_id in (None, "")  # the run was never tracked
    logged = client.get_logged_model(Path(version.source).parent.name)
    assert client.get_experiment(logged.experiment_id).name == "toy"
    folder = checkout / "results/mlartifacts" / logged.artifact_location.removeprefix("mlflow-artifacts:/")
    assert (folder / "data" / "toy-model" / "README.md").read_bytes() == (exported / "README.md").read_bytes()
    model = yaml.safe_load((folder / "MLmodel").read_text())
    assert model["flavors"]["python_function"]["loader_module"] == "clef.trained.mlflow_model"
    requirements = (folder / "requirements.txt").read_text().split("\n")
    assert requirements == [f"{package}=={metadata.version(package)}" for package in PACKAGES]


def test_a_server_that_does_not_answer_is_one_line(toy_run, exported, bare_checkout, closed_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:s3cret@127.0.0.1:{closed_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ClefError, match=r"^--register faces: connection refused; .*toy-model is complete") as caught:
        register_model(exported, "faces", toy_run[0], Store(bare_checkout))
    assert "s3cret" not in str(caught.value)


def test_the_packages_of_the_model_are_all_that_prediction_imports(exported):
    command = [sys.executable, "-c", SERVE, str(exported)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {_normal(name) for name in done.stdout.split()} - UNNEEDED
    assert imported - _closure(PACKAGES) == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(names) -> set[str]:
    """Packages, and all that they require."""
    found, pending = set(), [_normal(name) for name in names]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        pending += [_normal(re.match(r"[\w.-]+", line)[0]) for line in lines if "extra ==" not in line]
    return found
