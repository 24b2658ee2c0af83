"""A training that fails again and again in the same way is not tried for ever."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clef.errors import ClefError, Unfinished
from clef.files import write_text

ENOUGH = 2
"""How often one failure is seen before the next attempt is refused."""


@contextmanager
def remembered(work: Path, attempt: int) -> Iterator[None]:
    """Keep in the work folder how the block failed, and refuse an attempt after two that failed alike.

    A retry cannot mend what follows from settings and inputs, and would spend hours to find it again. An interruption
    is no failure, and neither is a kill, which leaves nothing here. The folder belongs to one key: other settings or
    inputs start with a clean one.

    Args:
        work: The work folder of the training.
        attempt: Counted from 1; the first is somebody's own wish and clears what was kept.

    Raises:
        ClefError: It failed alike twice, and this is a retry.
    """
    path = work / "failure.json"
    if attempt <= 1:
        path.unlink(missing_ok=True)
    earlier, times = _read(path)
    if times >= ENOUGH:
        raise ClefError(
            f"{work}: not tried again, since it failed {times} times with: {earlier}; "
            "mend that, then the same command starts another attempt"
        )
    try:
        yield
    except Unfinished:
        raise
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        times = times + 1 if _shape(message) == _shape(earlier) else 1
        work.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"message": message, "times": times}) + "\n")
        raise


def _shape(message: str) -> str:
    """A message without its numbers: no two say the same bytes or seconds."""
    return re.sub(r"\d+", "#", message)


def _read(path: Path) -> tuple[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["message"]), int(found["times"])
    except (OSError, ValueError, TypeError, KeyError):
        return "", 0
