"""How much work a command was: seconds of the processor, which do not depend on who else uses the machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Spent:
    """Filled in at the end."""

    seconds: float = 0.0


@contextmanager
def processor_time() -> Iterator[Spent]:
    """Count what the processes that are started inside, and waited for, take; files are in memory already."""
    spent = Spent()
    before = _children()
    yield spent
    spent.seconds = _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
