"""Files that appear whole: written beside their target under a temporary name, then renamed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NO_SPACE = "No space left on device"
WRITE_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def appearing(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it becomes the target, on an error it is removed.

    The temporary name is the same for every attempt, so that what a killed process leaves is overwritten by the next.

    Raises:
        OSError: The file cannot be written; its `filename` is set.
    """
    target = Path(target)
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if partial.is_symlink():
            partial.unlink()  # nothing of ours; what it leads to would be overwritten
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException as error:
        _remove(partial)
        failure = _write_failure(error, partial)
        if failure is not None:
            raise OSError(failure, os.strerror(failure), str(target)) from error
        raise


def _write_failure(error: BaseException | None, partial: Path) -> int | None:
    """Number of the failed write behind an error: libraries name no file, wrap it in their own, or quote its text."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in WRITE_FAILURES:
            return error.errno if error.filename in (None, str(partial)) else None
        if NO_SPACE in str(error):
            return errno.ENOSPC
        error = None if error.__suppress_context__ else error.__context__
    return None


def _remove(partial: Path) -> None:
    """Remove what there is of a file; where not even that can be done, the error that led here says more."""
    with suppress(OSError):
        partial.unlink()


def write_text(target: Path | str, text: str) -> None:
    """Write a small text file whole."""
    with appearing(target) as partial:
        partial.write_text(text, encoding="utf-8")
