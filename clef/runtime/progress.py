"""What a long step says of itself: a bar on a terminal, plain lines elsewhere, and one line at its end."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)

NOTICE = 25
"""Level, between INFO and WARNING, of what also a user who watches many jobs at once wants to see."""
logging.addLevelName(NOTICE, "NOTICE")

LINE_SECONDS = 15.0

_display: "Progress | None" = None
"""The bars on the terminal: there is one display, whatever is counted inside what."""


class ReportProgress(Protocol):
    """What a long step calls as it goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell how much is done, how much there is, and what else is worth knowing."""


@contextmanager
def progress(unit: str, start: int = 0) -> Iterator[ReportProgress]:
    """Yield a function that shows how far a step is and how long it will still take.

    Args:
        unit: What is counted, in the singular, such as `frame`.
        start: How many were done before, by a process that this one goes on from.
    """
    if os.environ.get("RANK", "0") != "0":
        yield lambda done, total, note="": None  # of several processes one tells
    elif sys.stderr.isatty():
        with _bar(unit, start) as step:
            yield step
    else:
        yield _lines(unit, start)


def notice(message: str, *values: object) -> None:
    """Say in one line what a step has done."""
    log.log(NOTICE, message, *values)


def duration(seconds: float) -> str:
    """Such as `24 s`, `2 min 05 s` or `3 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _lines(unit: str, start: int) -> ReportProgress:
    """One line every so often."""
    began = last = time.monotonic()

    def step(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_SECONDS or done >= total:
            return
        last = now
        left = (now - began) / max(done - start, 1) * (total - done)
        parts = [f"{unit} {done} of {total}", *([note] if note else []), f"{duration(left)} left"]
        notice("%s", ", ".join(parts))

    return step


@contextmanager
def _bar(unit: str, start: int) -> Iterator[ReportProgress]:
    """A bar of its own, or a second one below that of the step which this one is part of."""
    global _display
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    outermost = _display is None
    if _display is None:
        counts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        _display = Progress(*counts, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True)
        _display.start()
    display = _display
    task = display.add_task(unit, total=None, completed=start, note="")
    try:
        yield lambda done, total, note="": display.update(task, completed=done, total=total, note=note)
    finally:
        display.refresh()  # the last count too, however fast it came
        display.remove_task(task)
        if outermost:
            display.stop()
            _display = None
