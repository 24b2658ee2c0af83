"""Start the processes of one training on this machine, as `torchrun --standalone` does."""

import logging
import os
import signal
import tempfile
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from clef.errors import ClefError, Unfinished

LOOPBACK_INTERFACE = "lo"


def launch(processes: int, command: Sequence[str]) -> int:
    """Run a command in several processes, each with its rank in the environment.

    Args:
        processes: How many.
        command: Program and arguments; it finds `RANK`, `LOCAL_RANK` and `WORLD_SIZE`.

    Returns:
        0, or the exit code of the first that failed; it has said why itself.

    Raises:
        ClefError: One was killed.
        Unfinished: All were asked to end.
    """
    # They talk to each other on this machine alone.
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", LOOPBACK_INTERFACE)
    # What there is to say of an end, each process says itself.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="clef-ranks-") as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, command[0])(*command[1:])
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            if failure.exitcode < 0:
                name = signal.Signals(-failure.exitcode).name
                raise ClefError(
                    f"process {rank} of {processes} was ended by {name}; the same command goes on "
                    "(SIGKILL often means that memory ran out)"
                ) from None
            return failure.exitcode
        except SignalException as stop:
            if stop.sigval == signal.SIGINT:
                raise KeyboardInterrupt from None
            raise Unfinished(f"stopped by {stop.sigval.name}; the same command goes on") from None
    return 0
