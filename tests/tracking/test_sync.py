"""The commands, run as a user does."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from clef.errors import ClefError
from clef.tracking.place import checkout_here, checkout_of, shown_uri
from clef.tracking.record import sibling
from clef.tracking.store import brief
from clef.tracking.sync import sync
from tests.tracking.conftest import all_runs, free_port, make_record, wait_until


def clef_track(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clef", "track", *words],
        cwd=checkout,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_sync_brings_in_what_is_lacking_and_says_so_and_again_nothing(checkout):
    for fold in (0, 1):
        make_record(checkout, 4, fold=fold)
    make_record(checkout, 4, run="other")
    first = clef_track(checkout, "sync", "toy")
    assert (first.stdout, first.stderr) == ("toy: 2 trainings, not summarized: 8 values brought in\n", "")
    assert set(all_runs(checkout)) == {"toy", "toy fold 0", "toy fold 1"}
    both = clef_track(checkout, "sync")
    assert both.stdout.splitlines() == [
        "other: 1 trainings, not summarized: 4 values brought in",
        "toy: 2 trainings, not summarized: nothing was lacking",
    ]


def test_sync_without_a_server_is_one_line(checkout, nobodys_port):
    make_record(checkout, 4)
    uri = f"http://127.0.0.1:{nobodys_port}"
    ran = clef_track(checkout, "sync", MLFLOW_TRACKING_URI=uri)
    assert ran.returncode == 1
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"clef: error: MLFLOW_TRACKING_URI: no answer from {uri} (connection refused)")


def test_a_run_that_cannot_be_brought_in_does_not_keep_back_the_next(checkout):
    broken = make_record(checkout, 4, run="broken")
    metrics = sibling(broken, ".metrics.jsonl")
    metrics.unlink()
    metrics.mkdir()
    make_record(checkout, 4, run="good")
    ran = clef_track(checkout, "sync")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[0].startswith("broken: 1 trainings, not summarized: 0 values brought in; FAILED: ")
    assert ran.stdout.splitlines()[1:] == ["good: 1 trainings, not summarized: 4 values brought in"]
    (line,) = ran.stderr.splitlines()
    assert "did not take all of 1 of 2 runs: broken: " in line
    assert line.endswith("say `clef track sync broken`")


@pytest.mark.parametrize("folder", ["results", "."])
def test_sync_with_nothing_to_do_says_so(checkout, folder):
    if folder == ".":
        shutil.rmtree(checkout / "results")
    ran = clef_track(checkout, "sync")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"{checkout}/results: no records of trainings yet: nothing to bring in\n"


def test_a_folder_inside_the_checkout_has_the_checkouts_store(checkout, monkeypatch):
    record = make_record(checkout, 4)
    ran = clef_track(record.parent, "sync", "toy")
    assert ran.stdout == "toy: 1 trainings, not summarized: 4 values brought in\n"
    assert not (record.parent / "results").exists()
    assert set(all_runs(checkout)) == {"toy", "toy fold 0"}
    monkeypatch.chdir(record.parent)
    assert checkout_here() == checkout_of(record) == checkout


def test_a_folder_without_a_store_is_its_own_checkout(bare_checkout):
    assert checkout_here() == bare_checkout
    (bare_checkout / "Snakefile").touch()
    (bare_checkout / "docs").mkdir()
    os.chdir("docs")
    assert checkout_here() == bare_checkout


@pytest.mark.parametrize("words", [("sync",), ("ui",)])
def test_no_password_of_an_address_is_printed(checkout, words, nobodys_port):
    make_record(checkout, 4)
    uri = f"http://someone:s3cret@127.0.0.1:{nobodys_port}/path"
    ran = clef_track(checkout, *words, MLFLOW_TRACKING_URI=uri)
    told = ran.stdout + ran.stderr
    assert f"http://{uri.partition('@')[2]}" in told
    assert "s3cret" not in told
    assert "someone" not in told


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000/a", "http://host:5000/a"),
        ("https://user:pass@word@host/a", "https://host/a"),
        ("postgresql://user:pw@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("mysql://db/mlflow?user=u&password=pw&ssl=1", "mysql://db/mlflow?user=u&password=...&ssl=1"),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db"),
        ("cannot reach http://u:p@host: refused", "cannot reach http://host: refused"),
    ],
)
def test_an_address_is_shown_without_its_secrets(uri, shown):
    assert shown_uri(uri) == shown
    assert brief(OSError(uri)) == shown


def test_a_port_that_is_taken_is_told_in_one_line_before_anything_else(checkout):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = clef_track(checkout, "ui", "--port", str(port))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"clef: error: port {port} is taken; take another: `clef track ui --port N`, or `make ui port=N`\n"
    )


def test_a_run_without_records_is_named(checkout):
    with pytest.raises(ClefError, match=r"results/nothing: no records of trainings there"):
        list(sync(checkout / "results", ["nothing"]))


@pytest.mark.slow
def test_the_pages_open_on_no_store(bare_checkout):
    port = free_port()
    command = [sys.executable, "-m", "clef", "track", "ui", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as pages:
        try:
            assert f": http://127.0.0.1:{port}/" in pages.stdout.readline()

            def answers() -> bool:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
                        return b"<title>MLflow</title>" in response.read()
                except OSError:
                    return False

            wait_until(answers, 120)
            serving = [psutil.Process(pages.pid), *psutil.Process(pages.pid).children(recursive=True)]
            listening = {
                one.laddr.ip for process in serving for one in process.net_connections() if one.status == "LISTEN"
            }
            assert listening == {"127.0.0.1"}
        finally:
            pages.terminate()
