"""How a process of a long step is started: as one attempt of several; a training alone or as one of many."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clef.cli.terminal_and_log import output
from clef.errors import ClefError, Unfinished
from clef.runtime.gpus import claim_gpus

if TYPE_CHECKING:
    from clef.params.schema import Params
    from clef.training.job import Job

CIRCUMSTANCES = ("--attempt", "--time-budget", "--log")
"""Options that differ between attempts at the same thing, or may."""


@contextmanager
def attempted(settings: "Callable[[], Params]", target: Path, attempt: int | None) -> Iterator[None]:
    """Whatever fails in the block is remembered, and after two like failures the next attempt refused.

    Args:
        settings: Reads the params that the block reads.
        target: The output that it makes.
        attempt: Counted from 1; None where nobody tries again by himself, and nothing is remembered.

    Raises:
        ClefError: It failed alike twice.
    """
    from clef.runtime.retries import ReportedExit, failure_message, limit_retries
    from clef.training.ranks.launch import RENDEZVOUS, tell_launcher

    if "RANK" not in os.environ:
        memory = nullcontext() if attempt is None else limit_retries(target, _key(settings, sys.argv[1:]), attempt)
        try:
            with memory:
                yield
        except ReportedExit as told:
            raise typer.Exit(told.code) from None
        return
    try:
        yield
    except BaseException as error:
        if RENDEZVOUS in os.environ and (message := failure_message(error)) is not None:
            tell_launcher(message)
        raise


@contextmanager
def training_job(params: "Params", time_budget: float | None) -> Iterator["Job"]:
    """The job of this process. Where `gpus` asks for several, they are started, and only in those the block is run.

    Raises:
        ClefError: The environment says that this is one of several, and of another number than `gpus`.
    """
    if "RANK" not in os.environ:
        if params.device == "cuda":
            claim_gpus(params.gpus)
        if params.gpus > 1:
            from clef.runtime.retries import ReportedExit
            from clef.training.ranks.launch import launch

            with output.shared_with_subprocesses():
                launch(params.gpus, [sys.executable, "-m", "clef", *sys.argv[1:]])
            raise ReportedExit(0)
    from clef.training.interruption import Interruption
    from clef.training.job import Job
    from clef.training.ranks.ranks import joined, ranks_here

    if (world := ranks_here().world) != params.gpus:
        raise ClefError(
            f"RANK is set in the environment, of {world} processes, and gpus is {params.gpus}; unset RANK to have "
            f"`clef` start them, or start {params.gpus} by `torchrun --nproc-per-node {params.gpus}`"
        )
    with joined(params.device) as ranks:
        try:
            yield Job(ranks, Interruption(time_budget))
        except Unfinished:
            # The first gives back its lease and says that it stopped: whoever starts processes may end those that are
            # left once one has ended.
            ranks.wait()
            raise


def _key(settings: "Callable[[], Params]", arguments: Sequence[str]) -> str:
    """Of a command and its params, as far as they say what is done."""
    from clef.params.schema import digest

    try:
        plain = settings().model_dump(mode="json", by_alias=True)
    except ClefError:
        plain = None  # which is what fails
    said = iter(arguments)
    kept = []
    for argument in said:
        if argument in CIRCUMSTANCES:
            next(said, None)
        elif not argument.startswith(tuple(f"{option}=" for option in CIRCUMSTANCES)):
            kept.append(argument)
    return digest([kept, plain], length=64)
