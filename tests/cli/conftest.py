import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "120", "TERM": "xterm", "HOME": "/"}


def clef(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line, no terminal about."""
    return subprocess.run(
        [sys.executable, "-m", "clef", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )


def on_a_terminal(
    *arguments: str,
    folder: Path,
    interrupt_at: bytes = b"",
    answer: bytes = b"",
    seconds: float = 120,
    columns: int = 120,
) -> tuple[int, str]:
    """Run the command line on a pseudo-terminal: its exit code, and all that the terminal got.

    Ctrl-C is typed once `interrupt_at` has been shown, an answer once a question has been.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "clef", *arguments], ENVIRONMENT | {"COLUMNS": str(columns)})
    shown, typed, deadline = b"", False, time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
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
