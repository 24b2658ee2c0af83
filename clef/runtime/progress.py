"""Progress of long steps: a bar on a terminal, lines elsewhere."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

log = logging.getLogger(__name__)
NOTICE = 25  # between INFO and WARNING, for lines that users who run many jobs want to see
logging.addLevelName(NOTICE, "NOTICE")
LINE_SECONDS = 15.0
ReportProgress = Callable[..., None]  # of the number done, the number in all, and optionally a note


@contextmanager
def progress(unit: str, start: int = 0) -> Iterator[ReportProgress]:
    """Yield a function that shows how far a step is and how long it will take.

    `unit` is what is counted, in the singular, such as `frame`. `start` of them were done before a resume.
    """
    if os.environ.get("RANK", "0") != "0":
        yield lambda done, total, note="": None  # only the first of several processes reports
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(unit, total=None, completed=start, note="")
            yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)
            bar.refresh()  # show the last count too
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


def _bar() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=_terminal(), transient=True)


@cache
def _terminal() -> "Console":
    """Return the console that nested bars share."""
    from rich.console import Console

    return Console(stderr=True)
