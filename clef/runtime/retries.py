"""A step that fails again and again in the same way is not tried for ever."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clef.errors import ClefError, Unfinished
from clef.runtime.files import write_text
from clef.runtime.lease import live

log = logging.getLogger(__name__)

ENOUGH = 2
"""How often one failure is seen before the next attempt is refused."""


class KilledError(ClefError):
    """A process that was ended by force, as where memory runs out."""


class Told(Exception):  # noqa: N818 - what it was, the other process has said
    """The end of a process of which it has told the user itself.

    Args:
        code: Its exit code.
        message: What is to be remembered of it, if it was a failure.
    """

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@contextmanager
def remembered(target: Path, key: str, attempt: int) -> Iterator[None]:
    """Keep beside an output how the block that makes it failed, and refuse an attempt after two that failed alike.

    A retry cannot mend what follows from settings and inputs, and would spend hours to find it again. An interruption
    is no failure, and neither is a kill, or another process that is at work on the output.

    Args:
        target: The output.
        key: Of what the block does; what failed under another one is not counted.
        attempt: Counted from 1; the first is somebody's own wish and clears what was kept.

    Raises:
        ClefError: It failed alike twice, and this is a retry.
    """
    path = target.with_suffix(".failure.json")
    if attempt <= 1:
        path.unlink(missing_ok=True)
    earlier, times = _read(path, key)
    if times >= ENOUGH:
        raise ClefError(
            f"{target}: not tried again, since it failed {times} times with: {earlier}; "
            "mend that, then the same command starts another attempt"
        )
    try:
        yield
    except Exception as error:
        if isinstance(error, Told) and error.code == 0:
            path.unlink(missing_ok=True)
        elif (message := in_words(error)) is not None and not live(target):
            times = times + 1 if _shape(message) == _shape(earlier) else 1
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps({"key": key, "message": message, "times": times}) + "\n")
            if times >= ENOUGH:
                log.warning("failed alike %d times; further attempts are refused until that is mended", times)
        raise
    path.unlink(missing_ok=True)


def in_words(error: BaseException) -> str | None:
    """What is to be remembered of a failure; None where another attempt may well mend it, or none was meant."""
    if isinstance(error, Told):
        return error.message
    if isinstance(error, Unfinished | KilledError) or not isinstance(error, Exception):
        return None
    return " ".join(f"{type(error).__name__}: {error}".split())


def _shape(message: str) -> str:
    """A message without its numbers: no two say the same bytes or seconds."""
    return re.sub(r"\d+", "#", message)


def _read(path: Path, key: str) -> tuple[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return (str(found["message"]), int(found["times"])) if found["key"] == key else ("", 0)
    except (OSError, ValueError, TypeError, KeyError):
        return "", 0
