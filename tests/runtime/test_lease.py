import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from clef.errors import ClefError
from clef.runtime import lease as lease_module
from clef.runtime.lease import Lease, leased


def test_a_second_holder_is_refused_and_the_lease_goes_with_the_first(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    with leased(target), pytest.raises(ClefError, match=f"process {os.getpid()} .* already at work"), leased(target):
        pass
    with leased(target):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_does_not_lock_for_ever(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    hold = "import sys; from clef.runtime.lease import leased; from pathlib import Path\n"
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
    hold = "import sys; from clef.runtime.lease import Lease; from pathlib import Path\n"
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


def dead():
    return {
        "token": "dead",
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": 0.0,
        "job": None,
        "heartbeat": 0.0,
    }


@contextmanager
def no_lock(folder):
    yield


@pytest.mark.parametrize("lock", [lease_module._locked, no_lock], ids=["one host", "locks that reach no other host"])
@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_start_at_once_one_gets_the_lease(tmp_path, monkeypatch, lock, attempt):
    monkeypatch.setattr(lease_module, "_locked", lock)
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(dead()))
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
    assert [path.name for path in tmp_path.iterdir()] == ["x.lease"]


def claim_of(path, content, stem="x"):
    """Path of the claim on the lease at a path, or on a claim there."""
    return path.with_name(f".{stem}.{hashlib.sha256(f'{path.name}/{content}'.encode()).hexdigest()[:16]}.lease")


def test_who_looked_long_ago_takes_nothing_from_who_took_over_since(tmp_path, monkeypatch):
    monkeypatch.setattr(lease_module, "_locked", no_lock)
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    path.write_text(json.dumps(dead()))
    quick, slow = Lease(target), Lease(target)
    create = Lease._create

    def overtaken(lease, at):
        """The slow one has read of the dead one, and stands still just before it claims its lease."""
        if lease is slow and at != path:
            monkeypatch.setattr(Lease, "_create", create)
            quick.acquire()
        return create(lease, at)

    monkeypatch.setattr(Lease, "_create", overtaken)
    with pytest.raises(ClefError, match="already at work"):
        slow.acquire()
    assert quick.held()
    assert list(tmp_path.iterdir()) == [path]


def test_while_one_takes_over_another_is_refused(tmp_path):
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    path.write_text(json.dumps(dead()))
    with leased(tmp_path / "claimant.safetensors") as claimant:
        claim_of(path, path.read_text()).write_bytes(claimant.path.read_bytes())
        with pytest.raises(ClefError, match=f"process {os.getpid()} .* already at work"):
            Lease(target).acquire()
    assert json.loads(path.read_text()) == dead()


@pytest.mark.parametrize("content", ["", json.dumps({"token": "x", "host": "x"}), None])
def test_one_who_died_over_taking_over_locks_nobody_out(tmp_path, content):
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    path.write_text(json.dumps(dead()))
    claim = claim_of(path, path.read_text())
    claim.write_text(json.dumps(dead() | {"token": "claimant"}) if content is None else content)
    with leased(target) as lease:
        assert lease.held()
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_however_many_died_over_it_before_they_had_written_a_word(tmp_path, monkeypatch, levels):
    monkeypatch.setattr(lease_module, "SETTLE_SECONDS", 0.0)
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    for _ in range(levels):
        path.touch()
        path = claim_of(path, "")
    with leased(target) as lease:
        assert lease.held()
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_one_who_died_having_taken_over_goes_with_the_next(tmp_path):
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    path.write_text(json.dumps(dead()))
    for content in (json.dumps(dead()), json.dumps(of_elsewhere(0.0))):
        claim_of(path, f"a lease that is gone: {content}").write_text(content)
    with leased(target) as lease:
        assert lease.held()
    (left,) = tmp_path.iterdir()
    assert json.loads(left.read_text())["host"] == "elsewhere"  # that one may live


def test_the_longest_name_can_be_taken_over(tmp_path):
    target = tmp_path / f"{'x' * 240}.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(dead()))
    with leased(target) as lease:
        assert lease.held()
    assert list(tmp_path.iterdir()) == []


def test_a_beat_is_never_written_over_the_lease_of_who_came_between_its_look_and_its_write(tmp_path, monkeypatch):
    lease = Lease(tmp_path / "x.safetensors")
    lease.acquire()
    theirs = tmp_path / "theirs"
    theirs.write_text(json.dumps(json.loads(lease.path.read_text()) | {"token": "theirs"}))
    theirs.replace(lease.path)
    monkeypatch.setattr(lease, "held", lambda: True)
    lease.beat()
    assert json.loads(lease.path.read_text())["token"] == "theirs"


def test_a_live_lease_that_was_found_dead_by_mistake_is_put_back(tmp_path):
    lease = Lease(tmp_path / "x.safetensors")
    lease.acquire()
    found = json.loads(lease.path.read_text())
    lease_module._remove(lease.path, found | {"heartbeat": 0.0})
    assert lease.held()
    assert list(tmp_path.iterdir()) == [lease.path]
    lease_module._remove(lease.path, found)
    assert list(tmp_path.iterdir()) == []


def test_a_check_costs_no_look_at_the_file_as_long_as_heartbeats_are_well(tmp_path, monkeypatch):
    with leased(tmp_path / "x.safetensors") as lease:
        lease.path.write_text("{}")
        lease.check()
        lease.beat()
        with pytest.raises(ClefError, match="another process has taken over"):
            lease.check()
    with leased(tmp_path / "y.safetensors") as lease:
        lease.path.write_text("{}")
        monkeypatch.setattr(lease_module, "HEARTBEAT_SECONDS", 0.0)  # so that the last one is long ago
        with pytest.raises(ClefError, match="another process has taken over"):
            lease.check()


def test_beats_follow_each_other_in_one_whole_file(tmp_path):
    with leased(tmp_path / "x.safetensors") as lease:
        first = json.loads(lease.path.read_text())
        lease.beat()
        second = json.loads(lease.path.read_text())
    assert second["heartbeat"] > first["heartbeat"]
    assert second | {"heartbeat": first["heartbeat"]} == first


def test_a_beat_that_cannot_be_written_is_told_once_and_the_next_ones_are(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(lease_module, "HEARTBEAT_SECONDS", 0.02)
    beats: list[float] = []
    write = os.pwrite

    def failing_at_first(file, content, offset):
        beats.append(time.monotonic())
        if len(beats) in (2, 3):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content, offset)

    monkeypatch.setattr(os, "pwrite", failing_at_first)
    with leased(tmp_path / "x.safetensors") as lease:
        first = json.loads(lease.path.read_text())["heartbeat"]
        deadline = time.monotonic() + 20
        while json.loads(lease.path.read_text())["heartbeat"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(beats) >= 4
    assert caplog.text.count("heartbeat not written (No space left on device)") == 1


def test_a_full_disk_is_told_with_the_name_of_the_lease_and_leaves_none(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        Lease(tmp_path / "x.safetensors").acquire()
    assert raised.value.filename == str(tmp_path / "x.lease")
    assert list(tmp_path.iterdir()) == []


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
    monkeypatch.setattr("clef.runtime.lease.LOOK_SECONDS", 0.01)


@pytest.mark.parametrize("age", [1.0, 3600.0])
def test_on_another_host_the_next_heartbeat_is_waited_for_and_refuses(tmp_path, impatient, age):
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(age)))
    # However old the beat looks: their clock, or ours, may be wrong.
    beats = threading.Timer(0.2, lambda: target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(age - 1))))
    beats.start()
    with pytest.raises(ClefError, match=r"process 1 on elsewhere, SLURM job 12 is already .*`scancel 12`"):
        Lease(target).acquire()
    beats.join()
    assert json.loads(target.with_suffix(".lease").read_text())["token"] == "theirs"


@pytest.mark.parametrize("age", [0.0, -3600.0, 3600.0], ids=["beat just now", "their clock ahead", "behind"])
def test_on_another_host_a_heart_that_has_stopped_is_found_out(tmp_path, impatient, monkeypatch, age):
    monkeypatch.setattr("clef.runtime.lease.STALE_SECONDS", 0.2)
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(age)))
    with leased(target) as lease:
        assert lease.held()


def test_one_elsewhere_who_died_over_taking_over_from_another_elsewhere_locks_nobody_out(
    tmp_path, impatient, monkeypatch
):
    monkeypatch.setattr("clef.runtime.lease.STALE_SECONDS", 0.2)
    target = tmp_path / "x.safetensors"
    path = target.with_suffix(".lease")
    path.write_text(json.dumps(of_elsewhere(0.0)))
    claim_of(path, path.read_text()).write_text(json.dumps(of_elsewhere(0.0) | {"token": "another", "host": "third"}))
    with leased(target) as lease:
        assert lease.held()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_given_back_on_another_host_is_taken_at_once(tmp_path, impatient):
    target = tmp_path / "x.safetensors"
    target.with_suffix(".lease").write_text(json.dumps(of_elsewhere(1.0)))
    ends = threading.Timer(0.2, target.with_suffix(".lease").unlink)
    ends.start()
    with leased(target) as lease:
        assert lease.held()
    ends.join()


@pytest.mark.parametrize("lock", [lease_module._locked, no_lock], ids=["one host", "locks that reach no other host"])
def test_of_many_that_wait_for_a_dead_one_elsewhere_one_gets_the_lease(tmp_path, impatient, monkeypatch, lock):
    monkeypatch.setattr(lease_module, "_locked", lock)
    monkeypatch.setattr("clef.runtime.lease.STALE_SECONDS", 0.3)
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
