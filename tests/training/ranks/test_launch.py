"""The processes of one training, here of a few lines each."""

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from clef.cli.error_report import EXIT_RUN_AGAIN
from clef.errors import Unfinished
from clef.runtime.retries import KilledError, ReportedExit
from clef.training.ranks import launch as module
from clef.training.ranks.launch import UNFINISHED, launch

RANK = "import os, signal, sys, time; from pathlib import Path; rank = int(os.environ['RANK']); "


def program(text: str) -> list[str]:
    return [sys.executable, "-c", RANK + text]


def send_when_ready(tmp_path: Path, number: int, processes: int, first_to_one: bool = False) -> None:
    """Send this process a signal once each of those that it starts has left a file; perhaps to one of them before."""

    def wait() -> None:
        while len(list(tmp_path.glob("ready*"))) < processes:
            time.sleep(0.02)
        if first_to_one:
            psutil.Process().children()[0].send_signal(number)
            time.sleep(0.3)
        os.kill(os.getpid(), number)

    threading.Thread(target=wait, daemon=True).start()


def no_child_is_left() -> bool:
    """Whether nothing of the trainings is there; other tests may have started servers of theirs."""
    return not any("RANK" in child.environ() for child in psutil.Process().children() if child.is_running())


def test_each_has_its_rank_and_all_a_place_that_only_this_user_can_enter(tmp_path):
    shown = "('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'GLOO_SOCKET_IFNAME', 'NCCL_SOCKET_IFNAME', 'CLEF_RENDEZVOUS')"
    said = f"' '.join([*map(os.environ.get, {shown}), oct(Path(os.environ['CLEF_RENDEZVOUS']).parent.stat().st_mode)])"
    launch(3, program(f"Path(r'{tmp_path}', str(rank)).write_text({said})"))
    places = set()
    for rank in range(3):
        *found, place, mode = (tmp_path / str(rank)).read_text().split()
        assert found == [str(rank), str(rank), "3", "lo", "lo"]
        assert stat.S_IMODE(int(mode, 8)) == 0o700
        places.add(place)
    assert len(places) == 1
    assert not Path(places.pop()).parent.exists()


def test_one_that_fails_ends_the_others_and_its_exit_code_and_words_are_those_of_all():
    told = "from clef.training.ranks.launch import tell_launcher; "
    began = time.monotonic()
    with pytest.raises(ReportedExit) as caught:
        launch(2, program(told + "time.sleep(300 * (1 - rank)); tell_launcher('no crops'); sys.exit(3)"))
    assert (caught.value.code, caught.value.message) == (3, "no crops")
    assert time.monotonic() - began < 60
    assert no_child_is_left()


def test_one_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(module, "END_OTHERS", ((0.1, signal.SIGTERM), (1.0, signal.SIGKILL)))
    with pytest.raises(ReportedExit) as caught:
        launch(2, program("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300 * rank + 1); sys.exit(3)"))
    assert caught.value.code == 3
    assert no_child_is_left()


def test_a_kill_is_told_and_not_what_the_others_say_of_it():
    text = "sys.exit(1) if rank == 0 else (time.sleep(0.5), os.kill(os.getpid(), signal.SIGKILL))"
    with pytest.raises(KilledError, match="process 1 of 2 was ended by SIGKILL; the same command goes on"):
        launch(2, program(text))


def test_one_that_has_saved_ends_none_that_is_still_at_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "END_OTHERS", ((0.1, signal.SIGTERM),))
    text = f"time.sleep(1.5 * (1 - rank)); Path(r'{tmp_path}', str(rank)).touch(); sys.exit({UNFINISHED})"
    with pytest.raises(ReportedExit) as caught:
        launch(2, program(text))
    assert caught.value.code == UNFINISHED == EXIT_RUN_AGAIN
    assert caught.value.message is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on(tmp_path, number):
    handler = f"signal.signal({int(number)}, lambda *_: sys.exit({UNFINISHED})); "
    send_when_ready(tmp_path, number, 2)
    with pytest.raises(ReportedExit if number == signal.SIGTERM else KeyboardInterrupt):
        launch(2, program(handler + f"Path(r'{tmp_path}', f'ready{{rank}}').touch(); time.sleep(300)"))
    assert no_child_is_left()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("first_to_one", [False, True])
def test_where_not_all_could_save_it_says_so(tmp_path, first_to_one):
    send_when_ready(tmp_path, signal.SIGTERM, 2, first_to_one)
    with pytest.raises(Unfinished, match="stopped by SIGTERM, and not all was saved"):
        launch(2, program(f"Path(r'{tmp_path}', f'ready{{rank}}').touch(); time.sleep(300)"))
