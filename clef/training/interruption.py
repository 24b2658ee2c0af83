"""Decide when a training must save its state and stop early."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

from clef.errors import Unfinished

LARGEST_MARGIN = 300.0
MARGIN_SHARE = 0.2


class Interruption:
    """Whether a training has to stop, because of a signal or a time budget.

    Args:
        minutes: Time budget, counted from the start of this process. The training stops a fifth of it, or five minutes
            if that is less, before it ends. None for no limit.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self._signal: signal.Signals | None = None
        self._deadline: float | None = None
        if minutes is not None:
            seconds = 60 * minutes
            self._deadline = psutil.Process().create_time() + seconds - min(LARGEST_MARGIN, MARGIN_SHARE * seconds)

    def reason(self) -> str | None:
        """Return why the training has to stop, or None."""
        if self._signal is not None:
            return f"received {self._signal.name}"
        if self._deadline is not None and time.time() >= self._deadline:
            return "the time budget is used up"
        return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM as a request to stop while the block runs; a second SIGTERM ends the process at once.

        A process that trains together with others gets a signal twice when the signal goes to the whole process group:
        once directly, and once from the launcher. There SIGINT, as from ctrl-C, is a request too. After any process has
        received a request, further signals are ignored until the processes exit, so that all can save.
        """
        several = "RANK" in os.environ
        signals = (signal.SIGTERM, signal.SIGINT) if several else (signal.SIGTERM,)
        earlier = {number: signal.getsignal(number) for number in signals}

        def restore() -> None:
            for number, handler in earlier.items():
                signal.signal(number, handler)

        def request(number: int, frame: FrameType | None) -> None:
            if self._signal is None:
                self._signal = signal.Signals(number)
            elif not several:
                restore()
                signal.raise_signal(number)

        for number in signals:
            signal.signal(number, request)
        stopped = False
        try:
            yield
        except Unfinished:
            stopped = True
            raise
        finally:
            if not several or (self._signal is None and not stopped):
                restore()
