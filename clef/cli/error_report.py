"""Report an error as one line that says what to do, with an exit code. Keep the traceback for unexpected errors."""

import errno
import os
import sys
import tempfile
import traceback

from clef.cli.terminal_and_log import output
from clef.errors import ClefError, Unfinished

EXIT_ERROR = 1
EXIT_RUN_AGAIN = 75
"""`EX_TEMPFAIL` of sysexits.h."""
EXIT_INTERRUPTED = 130

_ADVICE = {
    errno.ENOSPC: "free some space (`clef clean` lists what can go), then run the same command to resume",
    errno.EDQUOT: "free some of the quota (`clef clean` lists what can go), then run the same command to resume",
    errno.EACCES: "give this user access, or choose another path",
    errno.EPERM: "give this user access, or choose another path",
    errno.EROFS: "choose a writable path",
}


def report_error(error: BaseException, debug: bool) -> int:
    """Print what stopped the command, with the traceback if `debug`, and return the exit code."""
    if debug or (output.log is not None and not isinstance(error, ClefError | KeyboardInterrupt)):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        output.print_line("interrupted; run the same command to resume")
        return EXIT_INTERRUPTED
    if isinstance(error, Unfinished):
        output.print_line(str(error))
        return EXIT_RUN_AGAIN
    output.print_line(f"error: {_describe(error, debug)}")
    return EXIT_ERROR


def _describe(error: BaseException, debug: bool) -> str:
    log = "" if output.log is None else f" (log: {output.log})"
    if isinstance(error, ClefError):
        return f"{error}{log}"
    if isinstance(error, OSError) and error.errno is not None:
        path = "" if error.filename is None else f"{error.filename}: "
        return f"{path}{os.strerror(error.errno)}; {_ADVICE.get(error.errno, 'check this path')}{log}"
    first_line = (str(error).strip().splitlines() or [""])[0]
    name = f"unexpected {type(error).__name__}{': ' if first_line else ''}{first_line}"
    where = "shown above" if debug and output.log is None else f"in {output.log or _save_traceback(error)}"
    return f"{name}; the traceback is {where}; if it happens again, report it with the traceback"


def _save_traceback(error: BaseException) -> str:
    descriptor, path = tempfile.mkstemp(prefix="clef-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv)}\n")
        traceback.print_exception(error, file=file)
    return path
