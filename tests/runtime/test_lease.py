import errno
import os
import subprocess
import sys
import threading

import flufl.lock
import pytest

from clef.errors import ClefError, LeaseHeldError
from clef.runtime import lease as lease_module
from clef.runtime.files import check_guards, write_text
from clef.runtime.lease import LIFETIME_SECONDS, holder_of, lease_path, leased
from tests.leases import hold_elsewhere, refresh_elsewhere

HOLD = """
import sys
from pathlib import Path
from clef.runtime.lease import leased
with leased(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
STALE = LIFETIME_SECONDS + 60


@pytest.fixture
def target(tmp_path):
    return tmp_path / "results" / "pretrain.safetensors"


@pytest.fixture
def other(target):
    """Another process of this host that holds the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(lease_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(lease_module, "REFRESH_SECONDS", 0.01)


def refused(target, message):
    with pytest.raises(LeaseHeldError, match=message), leased(target):
        pass


def test_second_holder_is_refused_until_the_first_releases(target):
    with leased(target):
        refused(target, rf"process {os.getpid()} on .* already working on it")
    assert list(target.parent.iterdir()) == []
    with leased(target):
        pass


def test_killed_holder_blocks_nothing(target, other):
    refused(target, f"process {other.pid} on")
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert holder_of(target) is None
    with leased(target):
        check_guards()
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("locks", [True, False], ids=["one host", "disk without flock"])
def test_one_of_many_gets_a_stale_lease(target, monkeypatch, locks):
    if not locks:
        monkeypatch.setattr(lease_module.fcntl, "flock", lambda *_: None)
    hold_elsewhere(target, age=STALE)
    go, done = threading.Barrier(8), threading.Barrier(8)
    outcomes: list[str] = []

    def acquire() -> None:
        go.wait()
        try:
            lock = lease_module._acquire(target)
            done.wait()
            outcomes.append("held" if lock.is_locked else "lost")
        except LeaseHeldError:
            done.wait()
            outcomes.append("refused")

    threads = [threading.Thread(target=acquire) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("held") == 1
    assert not locks or outcomes.count("lost") == 0


@pytest.mark.parametrize("content", ["", "{}", "x|y|z|w", "\xff"])
def test_damaged_lease_blocks_nothing(target, content):
    target.parent.mkdir()
    target.with_suffix(".lease").write_text(content, encoding="latin-1")
    with leased(target):
        check_guards()
    assert list(target.parent.iterdir()) == []


def test_holder_on_another_host_that_refreshes_is_left_alone(target, fast, monkeypatch):
    lease = hold_elsewhere(target)
    waiting = threading.Event()
    monkeypatch.setattr(lease_module, "notice", lambda *_: waiting.set())

    def refresh() -> None:
        waiting.wait()
        refresh_elsewhere(lease, age=-5)

    thread = threading.Thread(target=refresh)
    thread.start()
    refused(target, "process 1 on elsewhere is already working on it")
    thread.join()
    holder = holder_of(target)
    assert holder is not None
    assert holder.host == "elsewhere"


@pytest.mark.parametrize("end", ["expires", "is released"])
def test_lease_that_ends_on_another_host_is_taken(target, fast, monkeypatch, end):
    lease = hold_elsewhere(target)
    ends = {"expires": lambda *_: refresh_elsewhere(lease, age=STALE), "is released": lambda *_: lease.unlink()}
    monkeypatch.setattr(lease_module, "notice", ends[end])
    with leased(target):
        check_guards()


def test_holder_that_lost_its_lease_writes_nothing_more(target):
    with leased(target):
        write_text(target, "before")
        theirs = hold_elsewhere(target)
        for action in (check_guards, lambda: write_text(target, "after")):
            with pytest.raises(ClefError, match="another process took it over while this process was suspended"):
                action()
    assert target.read_text() == "before"
    assert "elsewhere" in theirs.read_text()


def test_thread_refreshes_the_lease_and_survives_errors(target, fast, monkeypatch):
    touch, calls = flufl.lock.Lock._touch, []
    refreshed = threading.Event()

    def fail_twice(lock: flufl.lock.Lock, filename: str | None = None) -> None:
        calls.append(lock)
        if len(calls) <= 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        touch(lock, filename)
        refreshed.set()

    with leased(target):
        os.utime(lease_path(target), (0, 0))
        monkeypatch.setattr(flufl.lock.Lock, "_touch", fail_twice)
        assert refreshed.wait(600)
        assert holder_of(target) is not None


def test_refreshing_leaves_a_lost_lease_alone(target):
    lock = lease_module._acquire(target)
    theirs = hold_elsewhere(target, age=STALE)
    before = theirs.stat().st_mtime
    lock.refresh(unconditionally=True)
    assert theirs.stat().st_mtime == before


def test_full_disk_names_the_lease_and_leaves_nothing(target, monkeypatch):
    def full(self: object) -> None:
        open(self.claimfile, "w").close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("flufl.lock.Lock._write", full)
    with pytest.raises(OSError, match="No space left on device") as raised, leased(target):
        pass
    assert raised.value.filename == str(target.with_suffix(".lease"))
    assert list(target.parent.iterdir()) == []
