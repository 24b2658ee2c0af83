"""The `clef track` commands."""

import socket
import subprocess
import sys

import pytest

from clef.cli import track
from clef.errors import ClefError
from clef.tracking.record import sibling
from tests.tracking.conftest import all_runs, make_record


@pytest.fixture(autouse=True)
def keep_environment(monkeypatch):
    monkeypatch.setattr(track, "MLFLOW_ENVIRONMENT", {})


def test_sync_adds_what_is_missing_and_again_nothing(checkout, capsys):
    record = make_record(checkout, 4)
    make_record(checkout, 4, fold=1)
    make_record(checkout, 4, run="other")
    command = [sys.executable, "-m", "clef", "track", "sync", "toy"]
    done = subprocess.run(command, cwd=record.parent, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("toy: 8 new values\n", "")
    assert set(all_runs(checkout)) == {"toy", "toy fold 0", "toy fold 1"}
    track.sync([])
    assert capsys.readouterr().out.splitlines() == ["other: 4 new values", "toy: up to date"]


def test_sync_names_the_runs_that_failed_and_syncs_the_others(checkout, capsys):
    metrics = sibling(make_record(checkout, 4, run="broken"), ".metrics.jsonl")
    metrics.unlink()
    metrics.mkdir()
    make_record(checkout, 4, run="good")
    with pytest.raises(ClefError, match=r"1 of 2 runs are incomplete there; .* run `clef track sync broken`$"):
        track.sync([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("broken: FAILED: ")
    assert (lines[0], lines[2:]) == ("broken: up to date", ["good: 4 new values"])


def test_sync_says_that_records_are_missing(checkout, capsys):
    with pytest.raises(ClefError, match=r"results/nothing: contains no records of trainings"):
        track.sync(["nothing"])
    track.sync([])
    assert capsys.readouterr().out == f"{checkout}/results: contains no records of trainings yet; nothing to do\n"


def test_the_address_of_a_server_is_shown_without_its_password(checkout, monkeypatch, closed_port, capsys):
    make_record(checkout, 4)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:s3cret@127.0.0.1:{closed_port}/path")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://127.0.0.1:{closed_port}/path"
    with pytest.raises(ClefError) as caught:
        track.sync([])
    assert str(caught.value).startswith(f"MLFLOW_TRACKING_URI: no answer from {address} (connection refused); start")
    track.ui()
    assert capsys.readouterr().out == f"MLFLOW_TRACKING_URI is set: the pages are at {address}\n"


def test_ui_reports_a_port_in_use_before_anything_else(checkout, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClefError, match=rf"^cannot listen on 127.0.0.1, port {port} \(Address already in use\);"):
            track.ui(port)
    assert capsys.readouterr().out == ""
