"""Write messages of a command to the terminal, and with `--log FILE` to that file.

With a log file, all of standard error goes to the file, including the output of libraries and child processes. The
terminal gets progress, results, warnings and errors, in whole lines with the name of the job, so jobs can share it.
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
"""Among several training processes, only rank 0 reports progress; the others report only what stops them."""

SHARED_LOG = "CLEF_SHARED_LOG"
"""Set for child processes whose standard error is the log file and whose standard output is the terminal."""

_logger = logging.getLogger(__name__)


class TerminalAndLog(logging.Handler):
    """The terminal and the log file of this process. As a logging handler, it shows records in the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.job = "clef"
        self.log: Path | None = None
        self._terminal: TextIO | None = None

    def open(self, log: Path | None) -> None:
        """Start logging: to the terminal only, or everything to an emptied file and the essentials to the terminal."""
        logging.captureWarnings(True)
        logging.getLogger("clef").setLevel(logging.INFO)
        logging.getLogger().addHandler(self)
        faulthandler.enable()
        if log is None:
            return
        shared = SHARED_LOG in os.environ
        self._terminal = os.fdopen(os.dup(1 if shared else 2), "w", 1, encoding="utf-8", errors="backslashreplace")
        if not shared:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            with log.open("ab") as file:
                os.dup2(file.fileno(), 2)
        self.log = log
        to_log = logging.StreamHandler(sys.stderr)
        to_log.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
        to_log.setLevel(logging.WARNING if RANK else logging.NOTSET)
        logging.getLogger().addHandler(to_log)
        _logger.info("clef %s, process %d on %s%s", __version__, os.getpid(), socket.gethostname(), _slurm_job())

    @contextmanager
    def shared_with_subprocesses(self) -> Iterator[None]:
        """Let processes that start in the block write to this terminal and log file."""
        if self.log is None or self._terminal is None:
            yield
            return
        stdout = os.dup(1)
        os.dup2(self._terminal.fileno(), 1)
        os.environ[SHARED_LOG] = str(self.log)
        try:
            yield
        finally:
            del os.environ[SHARED_LOG]
            os.dup2(stdout, 1)
            os.close(stdout)

    @property
    def terminal(self) -> TextIO:
        """The original standard error. Looked up each time because a progress bar replaces `sys.stderr`."""
        return self._terminal or sys.stderr

    def print_line(self, line: str) -> None:
        """Write one line, after the name of the job, to the terminal and the log."""
        rank = f", process {RANK}" if RANK else ""
        line = f"{self.job}{rank}: {' '.join(line.split())}\n"
        self.terminal.write(line)
        if self.log is not None:
            sys.stderr.write(line)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record: if there is a log file, only notices, warnings and errors."""
        own, log = record.name.split(".")[0] == "clef", self.log is not None
        minimum = (NOTICE if log else logging.INFO) if own else (logging.ERROR if log else logging.WARNING)
        if record.levelno >= (logging.ERROR if RANK else minimum):
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            job = f"{self.job}: " if log else ""
            self.terminal.write(f"{job}{level}{' '.join(record.getMessage().split())}\n")


def _slurm_job() -> str:
    """Describe the SLURM job, its node and its GPUs."""
    if (job := os.environ.get("SLURM_JOB_ID")) is None:
        return ""
    node, gpus = os.environ.get("SLURMD_NODENAME", "an unnamed node"), os.environ.get("CUDA_VISIBLE_DEVICES")
    return f", SLURM job {job} on {node} with {'no GPU' if gpus is None else f'CUDA_VISIBLE_DEVICES={gpus}'}"


output = TerminalAndLog()
