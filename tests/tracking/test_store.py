"""The checkout's own SQLite store."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from mlflow import MlflowClient

from clef.runtime.files import file_hash
from clef.tracking.location import find_checkout
from clef.tracking.record import Record, RunDescription
from clef.tracking.store import Store
from clef.tracking.sync import sync_records
from tests.tracking.conftest import all_runs, free_port, local_uri, make_record, pages, wait_until

CREATE = "import sys, pathlib, clef.tracking.store as store; store.Store(pathlib.Path(sys.argv[1])).require()"


def test_a_process_killed_while_it_creates_the_database_leaves_none(tmp_path):
    results = tmp_path / "results"
    with subprocess.Popen([sys.executable, "-c", CREATE, str(tmp_path)], stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: any(path.stat().st_size for path in results.glob(".mlflow.db.*.partial")))
        child.kill()
    assert not (results / "mlflow.db").exists()
    with Store(tmp_path).creating() as client:
        assert client.search_experiments()
    assert (results / "mlflow.db").is_file()
    assert not list(results.glob("*.partial"))


def sync_run(checkout: Path, name: str) -> None:
    """Write the record of a whole run with two artifacts, and sync it."""
    folder = checkout / "results" / name
    (folder / "plots").mkdir(parents=True)
    (folder / "params.yaml").write_text(f"extends: {name}")
    (folder / "plots" / "f1.csv").write_text(f"f1 of {name}")
    results = {file: file_hash(folder / file) for file in ("params.yaml", "plots/f1.csv")}
    run = RunDescription("toys", name, f"key of {name}", "any", {}, {})
    values = {"started": 1.0, "resumed": 1.0, "ended": 2.0, "status": "finished"}
    Record(run, None, "m.parquet", "0123", results=results, **values).write(folder / "run.track.json")
    assert sync_records(Store(checkout), [folder / "run.track.json"]) == (0, None)


@pytest.fixture
def moved_checkout(checkout, tmp_path_factory) -> Path:
    """A checkout with a run that was synced before it was moved, and one that was synced after."""
    sync_run(checkout, "before")
    moved = tmp_path_factory.mktemp("moved")
    (checkout / "results").rename(moved / "results")
    sync_run(moved, "after")
    assert not (checkout / "results").exists()
    return moved


def test_the_store_of_a_moved_checkout_has_no_path_of_its_old_place(checkout, moved_checkout):
    results = moved_checkout / "results"
    assert str(checkout).encode() not in (results / "mlflow.db").read_bytes()
    contents = {path.read_text() for path in (results / "mlartifacts").rglob("*.*")}
    assert contents == {"extends: before", "f1 of before", "extends: after", "f1 of after"}


@pytest.mark.slow
def test_artifacts_of_a_moved_checkout_are_on_its_pages(moved_checkout):
    with pages(moved_checkout, free_port()) as address:
        for name, run in all_runs(moved_checkout).items():
            query = f"run_uuid={run.info.run_id}&path="
            with urllib.request.urlopen(f"{address}/get-artifact?{query}plots/f1.csv") as answer:
                assert answer.read().decode() == f"f1 of {name}"
            with urllib.request.urlopen(f"{address}/ajax-api/2.0/mlflow/artifacts/list?{query}") as answer:
                assert {file["path"] for file in json.load(answer)["files"]} == {"params.yaml", "plots"}


def test_a_store_with_absolute_paths_of_artifacts_is_refused_in_one_line(checkout):
    MlflowClient(local_uri(checkout)).create_experiment("toys", "file:///old/results/mlartifacts/toys")
    record = make_record(checkout, 3)
    sent, failure = sync_records(Store(checkout), [record])
    expected = rf"{checkout}/results/mlflow.db: keeps the artifacts of toys at file:///old/\S+, [^\n]+` at {record}"
    assert re.fullmatch(expected, failure), failure
    assert sent == 0


def test_a_relative_address_is_the_same_store_in_every_folder(checkout, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///./tracked/runs.db?timeout=30")
    (checkout / "Snakefile").touch()
    sync_run(checkout, "toy")
    monkeypatch.chdir(checkout / "results" / "toy")
    store = Store(find_checkout(Path.cwd()))
    assert store.database == checkout / "tracked" / "runs.db"
    assert set(all_runs(store.uri)) == {"toy"}
    assert {path.read_text() for path in (checkout / "tracked" / "mlartifacts").rglob("*.csv")} == {"f1 of toy"}
