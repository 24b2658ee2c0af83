"""When a training stops by itself, with all that it needs to go on saved."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

LARGEST_MARGIN = 300.0
MARGIN_SHARE = 0.2


class Interruption:
    """Asks, between two steps, whether a training has to stop here.

    Args:
        minutes: After how many minutes from the start of this process somebody ends it by force; it stops a fifth of
            that, or five minutes, earlier. None where nobody does.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self._signalled = False
        self._parent = os.getppid() if "RANK" in os.environ else None
        self._ends: float | None = None
        if minutes is not None:
            seconds = 60 * minutes
            self._ends = psutil.Process().create_time() + seconds - min(LARGEST_MARGIN, MARGIN_SHARE * seconds)

    def reason(self) -> str | None:
        """Why to stop, in words; None where there is none."""
        if self._signalled:
            return "asked to end by SIGTERM"
        if self._ends is not None and time.time() >= self._ends:
            return "the time it was given is up"
        if self._parent is not None and os.getppid() != self._parent:
            return "the process that started it is gone"
        return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM for a wish to stop while the block runs; a second one ends the process at once."""
        before = signal.getsignal(signal.SIGTERM)

        def noted(number: int, frame: FrameType | None) -> None:
            self._signalled = True
            signal.signal(signal.SIGTERM, before)

        signal.signal(signal.SIGTERM, noted)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
