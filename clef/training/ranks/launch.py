"""Start the processes of one training on this machine with torch's elastic launcher, like `torchrun --standalone`.

They find each other through files instead: torch's TCP store accepts connections from other machines.
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

from clef.errors import ClefError, KilledError, Unfinished
from clef.runtime.progress import notice
from clef.training.ranks.ranks import RENDEZVOUS

UNFINISHED = 75  # exit code of a process that saved its state and stopped


def launch(processes: int, train: Callable[[], None]) -> None:
    """Run a pickled function in new processes until all have ended, or end them if one fails, and raise its error.

    They get SIGTERM and SIGINT from this process; if they save their state and stop, raise Unfinished.
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
            shutdown_timeout=600,  # seconds to save after SIGTERM before a process is killed
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
        reason = f"process {rank} of {processes} was ended by {failure.signal_name()}"
        return KilledError(f"{reason}; run the same command to resume (SIGKILL often means that memory ran out)")
    details = failure.error_file_data["message"]  # written by torch's ErrorHandler
    kind, _, message = details["message"].partition(": ")
    unexpected = RuntimeError(f"{kind} in process {rank} of {processes}: {message}")
    unexpected.add_note(details["extraInfo"]["py_callstack"])
    return ClefError(message) if kind == ClefError.__name__ else unexpected


def _run(train: Callable[[], None]) -> None:
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
