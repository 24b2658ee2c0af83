"""Run long steps: refuse hopeless retries, and train in one process or several."""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clef.cli.terminal_and_log import output
from clef.runtime.gpus import claim_gpus

if TYPE_CHECKING:
    from clef.params.schema import Params
    from clef.training.loop import Execution

    Train = Callable[[Execution], None]


def attempted(params: "Params", target: Path, attempt: int | None) -> AbstractContextManager[None]:
    """Return a context that refuses a retry after two equal failures of the block; without an attempt, do nothing."""
    from clef.params.schema import digest
    from clef.runtime.retries import limit_retries

    if attempt is None:
        return nullcontext()
    key = digest(params.model_dump(mode="json", by_alias=True), length=64)
    return limit_retries(target, key, attempt)


def run_training(params: "Params", time_budget: float | None, train: "Train") -> None:
    """Train in this process, or in `gpus` new processes. With `RANK` set, as by torchrun, start no processes.

    `time_budget` is in minutes; `train` is pickled for new processes.
    """
    if "RANK" not in os.environ:
        if params.device == "cuda":
            claim_gpus(params.gpus)
        if params.gpus > 1:
            from clef.training.ranks.launch import launch

            with output.shared_with_subprocesses():
                launch(params.gpus, partial(_train_as_rank, params, time_budget, train, output.log, output.job))
            return
    from clef.training.interruption import Interruption
    from clef.training.loop import Execution
    from clef.training.ranks.ranks import connected

    with connected(params.device, params.gpus) as ranks:
        train(Execution(ranks, Interruption(time_budget)))


def _train_as_rank(params: "Params", time_budget: float | None, train: "Train", log: Path | None, job: str) -> None:
    """Train in a new process. Only rank 0 writes to the terminal and the log; the launcher reports errors."""
    if os.environ["RANK"] == "0":
        output.open(log)
        output.job = job
    else:
        logging.getLogger().addHandler(logging.NullHandler())
    run_training(params, time_budget, train)
