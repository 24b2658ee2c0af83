import os
import signal
import time

import psutil
import pytest

from clef.training.interruption import ONE_WISH_SECONDS, Interruption
from clef.training.ranks.launch import LAUNCHER


def test_where_nobody_ends_a_process_it_goes_on():
    assert Interruption().reason() is None


@pytest.mark.parametrize(("minutes", "margin"), [(1, 12), (10, 120), (25, 300), (1440, 300)])
def test_it_stops_a_fifth_or_five_minutes_before_its_time_is_up(minutes, margin, monkeypatch):
    interruption = Interruption(minutes)
    ends = psutil.Process().create_time() + 60 * minutes - margin
    monkeypatch.setattr(time, "time", lambda: ends - 0.1)
    assert interruption.reason() is None
    monkeypatch.setattr(time, "time", lambda: ends + 0.1)
    assert interruption.reason() == "the time it was given is up"


def test_sigterm_is_a_wish_to_stop_once_and_what_it_was_before_then():
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append("the old handler"))
    try:
        interruption = Interruption()
        with interruption.listening():
            os.kill(os.getpid(), signal.SIGTERM)
            assert interruption.reason() == "asked to end by SIGTERM"
            assert heard == []
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == ["the old handler"]
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == ["the old handler"] * 2
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_one_of_several_processes_does_not_outlive_the_one_that_started_them(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    interruption = Interruption()
    assert interruption.reason() is None
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert interruption.reason() == "the process that started it is gone"


def test_nor_does_one_whose_parent_was_gone_before_it_looked(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv(LAUNCHER, str(os.getpid()))
    assert Interruption().reason() == "the process that started it is gone"


@pytest.fixture
def heard():
    """Signals that reached what was there before."""
    heard = []
    before = {number: signal.signal(number, lambda n, _: heard.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_of_several_takes_a_signal_that_comes_twice_for_one_wish(monkeypatch, heard, number):
    monkeypatch.setenv("RANK", "1")
    interruption = Interruption()
    with interruption.listening():
        os.kill(os.getpid(), number)
        assert interruption.reason() == f"asked to end by {number.name}"
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)  # while it says that it stopped
    assert heard == []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + ONE_WISH_SECONDS + 1)
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)
    assert heard == [number, number]


def test_one_of_several_that_was_not_asked_is_ended_after_the_block_as_before(monkeypatch, heard):
    monkeypatch.setenv("RANK", "1")
    with Interruption().listening():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]
