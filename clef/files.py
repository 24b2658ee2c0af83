"""Files that appear whole: written beside their target under a temporary name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it becomes the target, on an error it is removed.

    The temporary name is the same for every attempt, so that what a killed process leaves is overwritten by the next.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(target: Path | str, text: str) -> None:
    """Write a small text file whole."""
    with appearing(target) as partial:
        partial.write_text(text, encoding="utf-8")
