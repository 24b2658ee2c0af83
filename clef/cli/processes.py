"""How a training's process is started: alone, or as one of several that share its batches."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from clef.cli.output import output
from clef.cuda import claim_gpus

if TYPE_CHECKING:
    from clef.params import Params
    from clef.training.job import Job


@contextmanager
def training_job(params: "Params", time_budget: float | None, attempt: int) -> Iterator["Job"]:
    """The job of this process. Where `gpus` asks for several, they are started, and only in those the block is run."""
    if "RANK" not in os.environ:
        if params.device == "cuda":
            claim_gpus(params.gpus)
        if params.gpus > 1:
            from clef.training.launch import launch

            with output.handed_on():
                code = launch(params.gpus, [sys.executable, "-m", "clef", *sys.argv[1:]])
            raise typer.Exit(code)
    from clef.training.interruption import Interruption
    from clef.training.job import Job
    from clef.training.ranks import joined

    with joined(params.device) as ranks:
        yield Job(ranks, Interruption(time_budget), attempt)
