"""Start the processes of one training on this machine with torch's elastic launcher, like `torchrun --standalone`.

Unlike with `torchrun`, they find each other through a file: torch's TCP store accepts connections from other machines.
"""

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from clef.errors import ClefError, Unfinished
from clef.runtime.progress import notice
from clef.runtime.retries import KilledError
from clef.training.ranks.ranks import RENDEZVOUS

UNFINISHED = 75
"""Exit code of a process that saved its state and stopped."""
SAVE_SECONDS = 600
"""How long a process may take to save after SIGTERM before it is killed."""


def launch(processes: int, train: Callable[[], None]) -> None:
    """Run a pickled function in new processes until all have ended. They get SIGTERM and SIGINT from this process.

    Raises:
        ClefError: The error of the first process that failed; the others were ended.
        Unfinished: The processes saved their state and stopped.
        KeyboardInterrupt: They were interrupted by ctrl-C.
    """
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):  # they would repeat the error at length
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", **os.environ}
    with tempfile.TemporaryDirectory(prefix="clef-ranks-") as folder:
        os.environ |= {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", RENDEZVOUS: f"file://{folder}/ranks"}
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id="clef",
            rdzv_backend="c10d",
            rdzv_endpoint=f"{folder}/launcher",
            rdzv_configs={"store_type": "file"},
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            shutdown_timeout=SAVE_SECONDS,
        )
        try:
            elastic_launch(config, _run)(train)
        except SignalException as stop:
            if stop.sigval == signal.SIGINT:
                raise KeyboardInterrupt from None
            raise Unfinished(f"stopped by {stop.sigval.name}; run the same command to resume") from None
        except ChildFailedError as error:
            raise _first_error(error, processes) from None


def _first_error(error: ChildFailedError, processes: int) -> Exception:
    rank, failure = error.get_first_failure()
    if failure.exitcode == UNFINISHED:
        return Unfinished("stopped before the end; run the same command to resume")
    if failure.exitcode < 0:
        return KilledError(
            f"process {rank} of {processes} was ended by {failure.signal_name()}; run the same command to resume "
            "(SIGKILL often means that memory ran out)"
        )
    details = failure.error_file_data["message"]  # written by torch's ErrorHandler
    kind, _, message = details["message"].partition(": ")
    if kind == ClefError.__name__:
        return ClefError(message)
    unexpected = RuntimeError(f"{kind} in process {rank} of {processes}: {message}")
    unexpected.add_note(details["extraInfo"]["py_callstack"])
    return unexpected


def _run(train: Callable[[], None]) -> None:
    """Run in one of the processes."""
    try:
        train()
    except Unfinished as stop:
        notice("%s", stop)
        raise SystemExit(UNFINISHED) from None
    except ClefError as error:
        raise ClefError(error) from None  # `_first_error` knows errors by the name of their class
    except RuntimeError as error:
        if "peer" in str(error) and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            threading.Event().wait(60)  # until the launcher ends this process, so that it reports the peer's error
        raise
