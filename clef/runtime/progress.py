"""Progress of long steps: a bar on a terminal, lines elsewhere."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)

NOTICE = 25
"""Level between INFO and WARNING, for lines that users who run many jobs want to see."""
logging.addLevelName(NOTICE, "NOTICE")

LINE_SECONDS = 15.0

_display: "Progress | None" = None
"""The display of all bars: nested steps share it."""

ReportProgress = Callable[..., None]
"""Called with the number done, the number in all, and optionally a note."""


@contextmanager
def progress(unit: str, start: int = 0) -> Iterator[ReportProgress]:
    """Yield a function that shows how far a step is and how long it will take.

    Args:
        unit: What is counted, in the singular, such as `frame`.
        start: How many were done before a resume.
    """
    if os.environ.get("RANK", "0") != "0":
        yield lambda done, total, note="": None  # only the first of several processes reports
    elif sys.stderr.isatty():
        with _bar(unit, start) as report:
            yield report
    else:
        yield _lines(unit, start)


def notice(message: str, *values: object) -> None:
    """Log a line at level NOTICE."""
    log.log(NOTICE, message, *values)


def duration(seconds: float) -> str:
    """A duration such as `24 s`, `2 min 05 s` or `3 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _lines(unit: str, start: int) -> ReportProgress:
    began = last = time.monotonic()

    def report(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS and done < total:
            last = now
            left = (now - began) / max(done - start, 1) * (total - done)
            notice("%s", ", ".join([f"{unit} {done} of {total}", *filter(None, [note]), f"{duration(left)} left"]))

    return report


@contextmanager
def _bar(unit: str, start: int) -> Iterator[ReportProgress]:
    global _display
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    outer = _display
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    display = outer or Progress(
        *columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True
    )
    display.start()  # does nothing if it has started
    _display = display
    task = display.add_task(unit, total=None, completed=start, note="")
    try:
        yield lambda done, total, note="": display.update(task, completed=done, total=total, note=note)
    finally:
        display.refresh()  # also the last count, however soon it came
        display.remove_task(task)
        if outer is None:
            display.stop()
        _display = outer
