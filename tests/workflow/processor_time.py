"""How much work a command was: seconds of the processor, which do not depend on who else uses the machine."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Spent:
    """Filled in at the end."""

    seconds: float = 0.0
    by_the_clock: float = 0.0
    """To be told, and no more: it depends on who else uses the machine."""

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.by_the_clock:.1f} s by the clock)"


@contextmanager
def processor_time() -> Iterator[Spent]:
    """Count what the processes that are started inside, and waited for, take; files are in memory already."""
    spent = Spent()
    before, began = _children(), time.monotonic()
    yield spent
    spent.seconds, spent.by_the_clock = _children() - before, time.monotonic() - began


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
