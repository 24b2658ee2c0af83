import logging

import pytest

from clef.runtime import progress as module
from clef.runtime.progress import NOTICE, duration, progress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch, caplog):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    caplog.set_level(logging.INFO, "clef")
    return clock


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == NOTICE]


def test_lines_say_how_far_and_how_long(clock, caplog):
    with progress("step") as report:
        for done in range(1, 61):
            clock.now += 1
            report(done, 60, f"loss {done}")
    assert lines(caplog) == [
        "step 15 of 60, loss 15, 45 s left",
        "step 30 of 60, loss 30, 30 s left",
        "step 45 of 60, loss 45, 15 s left",
    ]


def test_work_before_a_resume_does_not_count_as_speed(clock, caplog):
    with progress("step", start=100) as report:
        clock.now += 20
        report(110, 120)
    assert lines(caplog) == ["step 110 of 120, 20 s left"]


def test_short_steps_log_nothing(clock, caplog):
    with progress("frame") as report:
        clock.now += 14
        report(1, 2)
        clock.now += 14
        report(2, 2)
    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11400, "3 h 10 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
