import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from clef.errors import ClefError
from clef.lease import STALE_SECONDS, Lease, leased


def test_a_second_holder_is_refused_and_the_lease_goes_with_the_first(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    with leased(target), pytest.raises(ClefError, match=f"process {os.getpid()} .* already at work"), leased(target):
        pass
    with leased(target):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_does_not_lock_for_ever(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    hold = "import sys; from clef.lease import leased; from pathlib import Path\n"
    hold += "with leased(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ClefError, match=f"process {holder.pid}"), leased(target):
        pass
    holder.kill()
    holder.wait()
    assert target.with_suffix(".lease").exists()
    with leased(target):
        pass


def test_a_lease_that_another_took_over_is_neither_renewed_nor_given_back(tmp_path):
    target = tmp_path / "x.safetensors"
    with leased(target) as lease:
        lease.require()
        other = json.loads(lease.path.read_text()) | {"token": "theirs", "heartbeat": 0.0}
        lease.path.write_text(json.dumps(other))
        with pytest.raises(ClefError, match="another process has taken over"):
            lease.require()
        lease.beat()
    assert json.loads(lease.path.read_text()) == other


def test_of_many_that_start_at_once_one_gets_the_lease(tmp_path):
    target = tmp_path / "x.safetensors"
    dead = {
        "token": "dead",
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": 0.0,
        "job": None,
        "heartbeat": 0.0,
    }
    target.with_suffix(".lease").write_text(json.dumps(dead))
    go = threading.Barrier(8)
    outcomes: list[str] = []
    done = threading.Barrier(8)

    def start() -> None:
        lease = Lease(target)
        go.wait()
        try:
            lease.acquire()
            outcomes.append("held")
        except ClefError:
            outcomes.append("refused")
        done.wait(timeout=20)  # all hold on to what they got until the last has tried

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", *["refused"] * 7]


@pytest.mark.parametrize("content", ["", '{"token": "th', "[]", "{}", '{"token": "theirs", "host": "here"}'])
def test_a_file_that_is_no_lease_holds_nobody_up(tmp_path, content):
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(content)
    with leased(target) as lease:
        assert lease.held()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("age", "free"), [(STALE_SECONDS / 2, False), (STALE_SECONDS * 2, True)])
def test_on_another_host_the_heartbeat_decides(tmp_path, age, free):
    target = tmp_path / "x.safetensors"
    lease = {
        "token": "theirs",
        "host": "elsewhere",
        "process": 1,
        "started": 0.0,
        "job": None,
        "heartbeat": time.time() - age,
    }
    target.with_suffix(".lease").write_text(json.dumps(lease))
    if free:
        with leased(target):
            pass
    else:
        with pytest.raises(ClefError, match="on elsewhere"), leased(target):
            pass
