"""The commands, run as a user does."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from clef.errors import ClefError
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


def test_sync_without_a_server_is_one_line(checkout):
    make_record(checkout, 4)
    uri = f"http://127.0.0.1:{free_port()}"
    ran = clef_track(checkout, "sync", MLFLOW_TRACKING_URI=uri)
    assert ran.returncode == 1
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"clef: error: MLFLOW_TRACKING_URI: no answer from {uri} (connection refused)")


def test_a_run_without_records_is_named(checkout):
    with pytest.raises(ClefError, match=r"results/nothing: no records of trainings there"):
        list(sync(checkout / "results", ["nothing"]))


@pytest.mark.slow
def test_the_pages_open_on_no_store(bare_checkout):
    port = free_port()
    command = [sys.executable, "-m", "clef", "track", "ui", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as pages:
        try:
            assert pages.stdout.readline().startswith(f"http://127.0.0.1:{port}/")

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
