import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.runtime import progress as module
from clef.runtime.progress import NOTICE, duration, progress


@pytest.fixture
def clock(monkeypatch):
    """The time that the module sees, in seconds."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == NOTICE]


def test_a_line_every_so_often_says_how_far_and_how_long(clock, caplog):
    caplog.set_level(logging.INFO, "clef")
    with progress("step") as tell:
        for done in range(1, 61):
            clock.now += 1
            tell(done, 60, f"loss {done}")
    assert lines(caplog) == [
        "step 15 of 60, loss 15, 45 s left",
        "step 30 of 60, loss 30, 30 s left",
        "step 45 of 60, loss 45, 15 s left",
    ]


def test_what_was_done_before_is_not_counted_as_speed(clock, caplog):
    caplog.set_level(logging.INFO, "clef")
    with progress("step", start=100) as tell:
        clock.now += 20
        tell(110, 120)
    assert lines(caplog) == ["step 110 of 120, 20 s left"]


def test_short_work_says_nothing(clock, caplog):
    caplog.set_level(logging.INFO, "clef")
    with progress("frame") as tell:
        clock.now += 14
        tell(1, 2)
        clock.now += 14
        tell(2, 2)
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
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


@given(st.integers(0, 10**6))
def test_a_duration_holds_the_time_to_its_last_digit(seconds):
    units = {"s": 1, "min": 60, "h": 3600}
    words = duration(seconds).split()
    told = sum(int(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert 0 <= seconds - told < (60 if "h" in words else 1)
