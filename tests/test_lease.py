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


def test_a_holder_that_ended_and_that_nobody_waited_for_does_not_lock_for_ever(tmp_path):
    target = tmp_path / "x.safetensors"
    hold = "import sys; from clef.lease import Lease; from pathlib import Path\n"
    hold += "Lease(Path(sys.argv[1])).acquire(); print('held', flush=True)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(target)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with leased(target) as lease:
        assert lease.held()
    holder.wait()


def test_a_clock_that_was_set_hides_no_holder(tmp_path):
    target = tmp_path / "x.safetensors"
    with leased(target) as lease:
        moved = json.loads(lease.path.read_text())
        lease.path.write_text(json.dumps(moved | {"started": moved["started"] - 3600, "heartbeat": 0.0}))
        with pytest.raises(ClefError, match="already at work"):
            Lease(target).acquire()


def test_a_lease_without_a_mark_is_read_as_before(tmp_path):
    target = tmp_path / "x.safetensors"
    with leased(target) as lease:
        found = json.loads(lease.path.read_text())
        del found["mark"]
        lease.path.write_text(json.dumps(found))
        with pytest.raises(ClefError, match="already at work"):
            Lease(target).acquire()
        lease.path.write_text(json.dumps(found | {"started": found["started"] - 3600}))
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


def of_elsewhere(age: float) -> dict[str, object]:
    beat = time.time() - age
    return {
        "token": "theirs",
        "host": "elsewhere",
        "process": 1,
        "started": 0.0,
        "job": "12",
        "heartbeat": beat,
    }


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("clef.lease.LOOK_SECONDS", 0.01)


def test_on_another_host_an_old_heartbeat_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr("clef.lease.LOOK_SECONDS", 3600.0)
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(STALE_SECONDS * 2)))
    with leased(target) as lease:
        assert lease.held()


def test_on_another_host_the_next_heartbeat_is_waited_for_and_refuses(tmp_path, impatient):
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(1.0)))
    beats = threading.Timer(0.2, lambda: target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(0.0))))
    beats.start()
    with pytest.raises(ClefError, match=r"process 1 on elsewhere, SLURM job 12 is already .*`scancel 12`"):
        Lease(target).acquire()
    beats.join()
    assert json.loads(target.with_suffix(".lease").read_text())["token"] == "theirs"


@pytest.mark.parametrize("age", [0.0, -3600.0], ids=["beat just now", "their clock ahead"])
def test_on_another_host_a_heart_that_has_stopped_is_found_out(tmp_path, impatient, monkeypatch, age):
    monkeypatch.setattr("clef.lease.STALE_SECONDS", 0.2)
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(age)))
    with leased(target) as lease:
        assert lease.held()


def test_a_lease_given_back_on_another_host_is_taken_at_once(tmp_path, impatient):
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(1.0)))
    ends = threading.Timer(0.2, target.with_suffix(".lease").unlink)
    ends.start()
    with leased(target) as lease:
        assert lease.held()
    ends.join()


def test_of_many_that_wait_for_a_dead_one_elsewhere_one_gets_the_lease(tmp_path, impatient, monkeypatch):
    monkeypatch.setattr("clef.lease.STALE_SECONDS", 0.3)
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(-3600.0)))
    outcomes: list[str] = []
    done = threading.Barrier(8)

    def start() -> None:
        try:
            Lease(target).acquire()
            outcomes.append("held")
        except ClefError:
            outcomes.append("refused")
        done.wait(timeout=20)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", *["refused"] * 7]
