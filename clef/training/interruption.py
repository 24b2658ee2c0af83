"""When a training stops by itself, with all that it needs to go on saved."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

from clef.training.ranks.launch import LAUNCHER

LARGEST_MARGIN = 300.0
MARGIN_SHARE = 0.2
ONE_WISH_SECONDS = 10.0
"""How long several processes take the same signal for the wish that they have heard already."""


class Interruption:
    """Asks, between two steps, whether a training has to stop here.

    Args:
        minutes: After how many minutes from the start of this process somebody ends it by force; it stops a fifth of
            that, or five minutes, earlier. None where nobody does.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self._asked: signal.Signals | None = None
        self._several = "RANK" in os.environ
        self._parent = int(os.environ.get(LAUNCHER, os.getppid())) if self._several else None
        self._ends: float | None = None
        if minutes is not None:
            seconds = 60 * minutes
            self._ends = psutil.Process().create_time() + seconds - min(LARGEST_MARGIN, MARGIN_SHARE * seconds)

    def reason(self) -> str | None:
        """Why to stop, in words; None where there is none."""
        if self._asked is not None:
            return f"asked to end by {self._asked.name}"
        if self._ends is not None and time.time() >= self._ends:
            return "the time it was given is up"
        if self._parent is not None and os.getppid() != self._parent:
            return "the process that started it is gone"
        return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM for a wish to stop while the block runs; a second one ends the process at once.

        One of several processes gets a signal from whoever sends it to all of them, as ctrl-C does, `killpg` or a
        service manager, and once more from the process that has started them. There a repeat within some seconds is the
        same wish, also after the block, and ctrl-C is one too: if one of them ended at once, the others could not save.
        """
        numbers = (signal.SIGTERM, signal.SIGINT) if self._several else (signal.SIGTERM,)
        before = {number: signal.getsignal(number) for number in numbers}
        heard = 0.0

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        def noted(number: int, frame: FrameType | None) -> None:
            nonlocal heard
            if self._asked is None:
                self._asked, heard = signal.Signals(number), time.monotonic()
            elif not self._several or time.monotonic() - heard > ONE_WISH_SECONDS:
                restore()
                signal.raise_signal(number)

        for number in numbers:
            signal.signal(number, noted)
        try:
            yield
        finally:
            if not (self._several and self._asked):
                restore()
