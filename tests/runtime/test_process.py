"""Real processes, and what a file says of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clef.runtime import process
from clef.runtime.process import is_running, mark, own_start, visible

LINUX = Path("/proc/self/stat").exists()
needs_proc = pytest.mark.skipif(not LINUX, reason="has no /proc")


@pytest.fixture
def child():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.wait()


def zombie(child: subprocess.Popen) -> None:
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_this_process_runs():
    assert is_running(os.getpid(), own_start(), mark())
    assert is_running(os.getpid(), own_start())
    assert not is_running(os.getpid(), own_start() - 60)


@pytest.mark.parametrize("marked", [pytest.param(True, marks=needs_proc), False])
def test_a_process_runs_until_it_is_killed_whether_or_not_somebody_waited_for_it(child, marked):
    started, name = psutil.Process(child.pid).create_time(), mark(child.pid) if marked else ""
    assert bool(name) == marked
    assert is_running(child.pid, started, name)
    zombie(child)
    assert not is_running(child.pid, started, name)
    child.wait()
    assert not is_running(child.pid, started, name)


@needs_proc
def test_a_clock_that_is_set_ends_no_process(child):
    assert is_running(child.pid, psutil.Process(child.pid).create_time() - 3600, mark(child.pid))


@needs_proc
def test_whoever_has_got_the_number_since_is_another(child):
    boot, space, ticks = mark(child.pid).split(":")
    assert not is_running(child.pid, 0.0, f"{boot}:{space}:{int(ticks) - 1}")
    assert not is_running(child.pid, 0.0, f"another-boot:{space}:{ticks}")


@needs_proc
def test_what_cannot_be_seen_from_here_counts_as_running(child, tmp_path, monkeypatch):
    boot, _, ticks = mark(child.pid).split(":")
    in_a_container = f"{boot}:1:{ticks}"
    assert not visible(in_a_container)
    assert visible(mark(child.pid))
    assert is_running(child.pid, 0.0, in_a_container)
    name = mark(child.pid)

    def not_allowed(number: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(process, "PROC", tmp_path)
    assert not is_running(child.pid, 0.0, name)
    monkeypatch.setattr(os, "kill", not_allowed)
    assert is_running(child.pid, 0.0, name)


@pytest.mark.parametrize("damaged", ["", "x", "a:b:c:d"])
def test_a_mark_that_is_none_is_not_looked_at(damaged):
    assert is_running(os.getpid(), own_start(), damaged)
    assert visible(damaged)
