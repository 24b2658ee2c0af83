"""How an error reaches the user: one line that says what to do, an exit code, and the traceback where it is wanted."""

import errno
import os
import sys
import tempfile
import traceback

from clef.cli.terminal_and_log import output
from clef.errors import ClefError, Unfinished

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130
EXIT_RUN_AGAIN = 75
"""As `EX_TEMPFAIL` of sysexits.h: run it again."""

_ADVICE = {
    errno.ENOSPC: "free some space (`clef clean` lists what can go), then the same command goes on",
    errno.EDQUOT: "free some of the quota (`clef clean` lists what can go), then the same command goes on",
    errno.EACCES: "give this user the right to it, or choose another place",
    errno.EPERM: "give this user the right to it, or choose another place",
    errno.EROFS: "choose a place that can be written",
}


def report(error: BaseException, debug: bool) -> int:
    """Say on the terminal, in one line, what stopped the command.

    Args:
        error: What stopped it.
        debug: Show the whole traceback too.

    Returns:
        The exit code.
    """
    expected = isinstance(error, ClefError | KeyboardInterrupt)
    if debug or (output.log is not None and not expected):
        traceback.print_exception(error)
    output.print_line(_line(error, debug))
    if isinstance(error, Unfinished):
        return EXIT_RUN_AGAIN
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_ERROR


def _line(error: BaseException, debug: bool) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by ctrl-C; nothing half-made is left"
    if isinstance(error, Unfinished):
        return str(error)
    if isinstance(error, ClefError):
        return f"error: {error}{_log()}"
    if isinstance(error, OSError) and error.errno is not None:
        path = "" if error.filename is None else f"{error.filename}: "
        advice = _ADVICE.get(error.errno, "see that it is there and in order")
        return f"error: {path}{os.strerror(error.errno)}; {advice}{_log()}"
    first = (str(error).strip().splitlines() or [""])[0]
    what = f"unexpected {type(error).__name__}{': ' if first else ''}{first}"
    return f"error: {what}; {_where_the_traceback_is(error, debug)}"


def _log() -> str:
    return "" if output.log is None else f" (log: {output.log})"


def _where_the_traceback_is(error: BaseException, debug: bool) -> str:
    if output.log is not None:
        return f"the traceback is in {output.log}; if it comes again, report it with that file"
    if debug:
        return "if it comes again, report it with the traceback above"
    descriptor, path = tempfile.mkstemp(prefix="clef-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv)}\n")
        traceback.print_exception(error, file=file)
    return f"the traceback is in {path}; if it comes again, report it with that file"
