"""Start the processes of one training on this machine.

They find each other in a file of a folder that only this user can enter. torchrun's way, a store that listens on every
interface and hands out pickles to whoever asks, would let anybody who reaches the machine run code here.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from clef.errors import Unfinished
from clef.runtime.retries import KilledError, Told

RENDEZVOUS = "CLEF_RENDEZVOUS"
"""The file in which the processes find each other; set where this module has started them."""
LAUNCHER = "CLEF_LAUNCHER"
"""The process that has started them."""
LOOPBACK_INTERFACE = "lo"
UNFINISHED = 75
"""Exit code of a process that has saved what it needs to go on."""

LOOK_SECONDS = 0.05
END_OTHERS = ((2.0, signal.SIGTERM), (30.0, signal.SIGKILL))
"""What the others get, and how many seconds after one has failed: by themselves they would wait for it."""


def launch(processes: int, command: Sequence[str]) -> None:
    """Run a command in several processes, each with its rank in the environment, until all have ended.

    SIGTERM and SIGINT are passed on. If one fails, so do the others.

    Args:
        processes: How many.
        command: Program and arguments; it finds `RANK`, `LOCAL_RANK` and `WORLD_SIZE`.

    Raises:
        Told: One failed, or all were interrupted with all saved, and they have said so themselves.
        KilledError: One was killed.
        Unfinished: They were asked to end, and not all of them could save.
        KeyboardInterrupt: They were stopped by ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="clef-ranks-") as folder, _noted() as asked:
        family = _Family()
        try:
            family.start(processes, command, Path(folder, "rendezvous"))
            family.wait(asked)
        finally:
            family.send(signal.SIGKILL)
        _judge(family, asked, Path(folder))


def tell_launcher(message: str) -> None:
    """Leave, for the process that has started this one, what is to be remembered of its failure."""
    place = Path(os.environ[RENDEZVOUS]).parent
    if place.is_dir():
        _note(place, int(os.environ["RANK"])).write_text(message, encoding="utf-8")


class _Family:
    """Several processes of one command.

    Attributes:
        living: Those that run, by rank.
        ended: Rank and exit code of the others, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.living: dict[int, subprocess.Popen[bytes]] = {}
        self.ended: list[tuple[int, int]] = []
        self._sent: set[tuple[int, int]] = set()

    def start(self, processes: int, command: Sequence[str], rendezvous: Path) -> None:
        """Start all of them."""
        shared = {"WORLD_SIZE": str(processes), RENDEZVOUS: str(rendezvous), LAUNCHER: str(os.getpid())}
        # They talk to each other on this machine alone.
        shared |= {f"{library}_SOCKET_IFNAME": LOOPBACK_INTERFACE for library in ("GLOO", "NCCL")}
        for rank in range(processes):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            self.living[rank] = subprocess.Popen(command, env={**os.environ, **shared, **own})

    def send(self, number: int) -> None:
        """Send a signal to those that run."""
        for rank, child in self.living.items():
            child.send_signal(number)
            self._sent.add((rank, -number))

    def wait(self, asked: Sequence[int]) -> None:
        """Wait for all; the others do not long outlive one that fails.

        Args:
            asked: Signals to pass on; it grows.
        """
        passed_on, failed, to_send = 0, None, list(END_OTHERS)
        while self.living:
            for number in asked[passed_on:]:
                self.send(number)
                passed_on += 1
            self._look()
            if failed is None and any(code not in (0, UNFINISHED) for _, code in self.ended):
                failed = time.monotonic()
            if failed is not None and to_send and time.monotonic() - failed >= to_send[0][0]:
                self.send(to_send.pop(0)[1])
            time.sleep(LOOK_SECONDS)

    def killed(self, asked: Sequence[int]) -> tuple[int, int] | None:
        """Rank and signal of the first that was ended by one that was neither sent from here nor asked for."""
        by_signal = [(rank, -code) for rank, code in self.ended if code < 0 and (rank, code) not in self._sent]
        return next(((rank, number) for rank, number in by_signal if number not in asked), None)

    def _look(self) -> None:
        for rank, child in [*self.living.items()]:
            if (code := child.poll()) is not None:
                self.ended.append((rank, code))
                del self.living[rank]


@contextmanager
def _noted() -> Iterator[list[int]]:
    """Signals that ask this process to end, noted while the block runs."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _judge(family: _Family, asked: Sequence[int], folder: Path) -> None:
    codes = {code for _, code in family.ended}
    if codes == {0}:
        return
    if signal.SIGINT in asked:
        raise KeyboardInterrupt
    if codes <= {0, UNFINISHED}:
        raise Told(UNFINISHED)
    # Before what the others say: they may have failed of its silence.
    if (killed := family.killed(asked)) is not None:
        rank, number = killed
        raise KilledError(
            f"process {rank} of {len(family.ended)} was ended by {signal.Signals(number).name}; the same command goes "
            "on (SIGKILL often means that memory ran out)"
        )
    if signal.SIGTERM in asked:
        raise Unfinished("stopped by SIGTERM, and not all was saved; the same command goes on from what was before")
    rank, code = next((rank, code) for rank, code in family.ended if code not in (0, UNFINISHED))
    note = _note(folder, rank)
    raise Told(code, note.read_text(encoding="utf-8") if note.exists() else None)


def _note(folder: Path, rank: int) -> Path:
    return folder / f"failure{rank}"
