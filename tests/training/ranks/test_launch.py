"""The launcher, with processes that only import, wait or fail."""

import os
import signal
import threading
from functools import partial
from pathlib import Path

import psutil
import pytest

from clef.cli.error_report import EXIT_RUN_AGAIN
from clef.errors import ClefError, KilledError, Unfinished
from clef.training.interruption import Interruption
from clef.training.ranks.launch import UNFINISHED, launch


def wait() -> None:
    threading.Event().wait()


def fail_in_one(error: Exception | int) -> None:
    """Raise an error, or kill the process, in rank 1; rank 0 would wait for it forever."""
    if os.environ["RANK"] == "0":
        wait()
    if isinstance(error, int):
        os.kill(os.getpid(), error)
        wait()
    raise error


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (ClefError("no crops: crop first"), ClefError, "no crops: crop first"),
        pytest.param(KeyError("frames"), RuntimeError, "KeyError in process 1 of 2: 'frames'", marks=pytest.mark.slow),
        (signal.SIGKILL, KilledError, "process 1 of 2 was ended by SIGKILL; run the same command to resume"),
        (Unfinished("saved step 3"), Unfinished, "run the same command to resume"),
    ],
)
def test_a_process_that_fails_ends_the_others_and_its_error_is_raised(error, expected, message):
    with pytest.raises(expected, match=message):
        launch(2, partial(fail_in_one, error))
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def save_when_stopped(folder: Path) -> None:
    """Train until a signal, and then save."""
    interruption, rank = Interruption(), os.environ["RANK"]
    with interruption.listening():
        (folder / f"ready{rank}").touch()
        while interruption.reason() is None:
            threading.Event().wait(0.05)
    (folder / f"saved{rank}").touch()
    raise Unfinished(interruption.reason())


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGTERM, Unfinished), pytest.param(signal.SIGINT, KeyboardInterrupt, marks=pytest.mark.slow)],
)
def test_a_signal_is_passed_on_and_all_processes_save(tmp_path, number, expected):
    def send_when_ready() -> None:
        while len(list(tmp_path.glob("ready*"))) < 2:
            threading.Event().wait(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=send_when_ready, daemon=True).start()
    with pytest.raises(expected):
        launch(2, partial(save_when_stopped, tmp_path))
    assert len(list(tmp_path.glob("saved*"))) == 2


def test_the_exit_code_is_that_of_the_command_line():
    assert UNFINISHED == EXIT_RUN_AGAIN
