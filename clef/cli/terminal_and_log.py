"""Where a command's words go: to the terminal, and with `--log FILE` all of them to that file.

With a log file, everything that is written to standard error goes there, from whatever library or process: log
records, warnings, tracebacks, what faulthandler says of a crash. The terminal then gets whole lines only, each with
the name of the job, so that many jobs can share it: how far it is, what it has done, warnings, errors.
"""

import faulthandler
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from clef import __version__
from clef.runtime.progress import NOTICE

RANK = int(os.environ.get("RANK", "0"))
"""Of several processes that train together, the first speaks for all; the others say only what stops them."""

SHARED_LOG = "CLEF_SHARED_LOG"
"""Set for processes that are started with the log file as standard error and the terminal as standard output."""

_logger = logging.getLogger(__name__)


class TerminalAndLog:
    """The terminal and the log file of this process."""

    def __init__(self) -> None:
        self.job = "clef"
        self.log: Path | None = None
        self._terminal: TextIO | None = None

    def open(self, log: Path | None) -> None:
        """Send log records to the terminal, or all but what concerns a user at once to a file.

        Args:
            log: The file, written anew; None for the terminal alone.
        """
        logging.captureWarnings(True)
        logging.getLogger("clef").setLevel(logging.INFO)
        if log is not None and SHARED_LOG in os.environ:
            self._terminal = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
            self._log_everything(log)
        elif log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
            self._terminal = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
            os.dup2(file, 2)
            os.close(file)
            self._log_everything(log)
        faulthandler.enable()
        logging.getLogger().addHandler(_ToTerminal(self))
        if self.log is not None:
            _logger.info("clef %s, process %d on %s%s", __version__, os.getpid(), socket.gethostname(), _slurm_job())

    @contextmanager
    def shared_with_subprocesses(self) -> Iterator[None]:
        """Processes that are started in the block write to this one's terminal and log file."""
        if self.log is None or self._terminal is None:
            yield
            return
        own = os.dup(1)
        os.dup2(self._terminal.fileno(), 1)
        os.environ[SHARED_LOG] = str(self.log)
        try:
            yield
        finally:
            del os.environ[SHARED_LOG]
            os.dup2(own, 1)
            os.close(own)

    def _log_everything(self, log: Path) -> None:
        self.log = log
        everything = logging.StreamHandler(sys.stderr)
        everything.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
        everything.setLevel(logging.WARNING if RANK else logging.NOTSET)
        logging.getLogger().addHandler(everything)

    @property
    def terminal(self) -> TextIO:
        """Standard error of old; looked up each time, since a progress bar puts itself before it."""
        return self._terminal or sys.stderr

    def print_line(self, line: str) -> None:
        """Write one whole line with the name of the job to the terminal, and to the log."""
        who = f", process {RANK}" if RANK else ""
        line = f"{self.job}{who}: {' '.join(line.split())}\n"
        self.terminal.write(line)
        self.terminal.flush()
        if self.log is not None:
            sys.stderr.write(line)


def _slurm_job() -> str:
    """Which job of a cluster this is, where, and with which GPUs."""
    if (job := os.environ.get("SLURM_JOB_ID")) is None:
        return ""
    node, gpus = os.environ.get("SLURMD_NODENAME", "an unnamed node"), os.environ.get("CUDA_VISIBLE_DEVICES")
    return f", SLURM job {job} on {node} with {'no GPU' if gpus is None else f'CUDA_VISIBLE_DEVICES={gpus}'}"


class _ToTerminal(logging.Handler):
    """Records for the terminal: with a log file beside it, only those that concern a user at once."""

    def __init__(self, output: TerminalAndLog) -> None:
        super().__init__()
        self.output = output

    def emit(self, record: logging.LogRecord) -> None:
        own = record.name.split(".")[0] == "clef"
        least = (NOTICE if own else logging.ERROR) if self.output.log else logging.INFO if own else logging.WARNING
        if record.levelno < (logging.ERROR if RANK else least):
            return
        message = " ".join(record.getMessage().split())
        kind = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        name = f"{self.output.job}: " if self.output.log else ""
        self.output.terminal.write(f"{name}{kind}{message}\n")
        self.output.terminal.flush()


output = TerminalAndLog()
