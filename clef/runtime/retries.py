"""Stop retrying a step that keeps failing with the same error."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clef.errors import ClefError, KilledError, Unfinished
from clef.runtime.files import write_text
from clef.runtime.lease import holder_of

log = logging.getLogger(__name__)
MAX_EQUAL_FAILURES = 2


@contextmanager
def limit_retries(target: Path, key: str, attempt: int) -> Iterator[None]:
    """Record failures of the block in a file beside its output, and refuse a retry after two equal failures.

    A retry cannot fix an error that follows from settings and inputs, and might take hours to hit it again.
    Interruptions, kills, and a lease that another process holds are not counted, nor are failures with another `key`,
    which identifies the settings. The user starts the first attempt, number 1, so it clears the record.
    """
    path = target.with_suffix(".failure.json")
    if attempt <= 1:
        path.unlink(missing_ok=True)
    earlier, times = _read(path, key)
    if times >= MAX_EQUAL_FAILURES:
        raise ClefError(
            f"{target}: not retried, because it failed {times} times with the same error: {earlier}; "
            "fix the cause, then run the same command"
        )
    try:
        yield
    except Exception as error:
        if not isinstance(error, Unfinished | KilledError) and holder_of(target) is None:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            # Numbers such as bytes or seconds differ between failures with the same cause.
            times = times + 1 if re.sub(r"\d+", "#", message) == re.sub(r"\d+", "#", earlier) else 1
            write_text(path, json.dumps({"key": key, "message": message, "times": times}) + "\n")
            if times >= MAX_EQUAL_FAILURES:
                log.warning("failed %d times with the same error; further retries are refused", times)
        raise
    path.unlink(missing_ok=True)


def _read(path: Path, key: str) -> tuple[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return (str(found["message"]), int(found["times"])) if found["key"] == key else ("", 0)
    except (OSError, ValueError, TypeError, KeyError):
        return "", 0
