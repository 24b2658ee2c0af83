import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clef.cli import main
from clef.cli.find_run import settings
from clef.cli.terminal_and_log import output

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "120", "TERM": "xterm", "HOME": "/"}

Ran = subprocess.CompletedProcess[str]


def clef(*arguments: str, folder: Path = ROOT) -> Ran:
    """Run the command line in a new process without a terminal."""
    return python("-m", "clef", *arguments, folder=folder)


def python(*arguments: str, folder: Path = ROOT) -> Ran:
    """Run Python in a new process without a terminal."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=ENVIRONMENT
    )


@pytest.fixture
def clef_here(monkeypatch, capsys) -> Callable[..., Ran]:
    """Run the command line in this process, in a folder, without logging."""

    def run(*arguments: str, folder: Path = ROOT) -> Ran:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", ["clef", *arguments])
        monkeypatch.setattr(output, "open", lambda log: None)
        for name in ("params_folder", "debug"):
            monkeypatch.setattr(settings, name, getattr(settings, name))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(arguments, ended.value.code, *capsys.readouterr())

    return run


def on_a_terminal(
    *arguments: str, folder: Path, interrupt_at: bytes = b"", answer: bytes = b"", columns: int = 120
) -> tuple[int, str]:
    """Run the command line on a pseudo-terminal, and return its exit code and all of its output.

    Press ctrl-C once the output contains `interrupt_at`. Type the answer once there is a question.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "clef", *arguments], ENVIRONMENT | {"COLUMNS": str(columns)})
    shown, typed = b"", False
    while select.select([terminal], [], [], 600)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not typed and ((interrupt_at and interrupt_at in shown) or (answer and b"[y/N]" in shown)):
            os.write(terminal, answer or b"\x03")
            typed = True
    else:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()
