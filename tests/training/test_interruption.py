import os
import signal
import time

import psutil
import pytest

from clef.errors import Unfinished
from clef.training.interruption import Interruption


@pytest.mark.parametrize(("minutes", "margin"), [(1, 12), (10, 120), (25, 300), (1440, 300)])
def test_a_training_stops_a_fifth_or_five_minutes_before_its_time_budget_ends(minutes, margin, monkeypatch):
    interruption = Interruption(minutes)
    end = psutil.Process().create_time() + 60 * minutes - margin
    monkeypatch.setattr(time, "time", lambda: end - 0.1)
    assert interruption.reason() is None
    assert Interruption().reason() is None
    monkeypatch.setattr(time, "time", lambda: end + 0.1)
    assert interruption.reason() == "the time budget is used up"


@pytest.fixture
def received():
    """Signals that reached the handlers from before."""
    received = []
    signals = (signal.SIGTERM, signal.SIGINT)
    earlier = {number: signal.signal(number, lambda n, _: received.append(n)) for number in signals}
    yield received
    for number, handler in earlier.items():
        signal.signal(number, handler)


def test_the_first_sigterm_is_a_request_and_the_second_ends_the_process(received):
    interruption = Interruption()
    with interruption.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.reason() == "received SIGTERM"
        assert received == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_of_several_processes_ignores_signals_after_the_first(monkeypatch, received, number):
    monkeypatch.setenv("RANK", "1")
    with Interruption().listening():
        pass
    os.kill(os.getpid(), number)
    assert received == [number]
    interruption = Interruption()
    with interruption.listening():
        os.kill(os.getpid(), number)
        assert interruption.reason() == f"received {number.name}"
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)  # while the lease is released
    assert received == [number]


def test_one_of_several_processes_ignores_signals_after_another_one_stopped(monkeypatch, received):
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(Unfinished), Interruption().listening():
        raise Unfinished("received SIGTERM")
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == []
