"""Checks of a whole call of the workflow, before its first job."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from clef.errors import ClefError
from clef.runs.messages import PlannedJob
from clef.runs.requested import RequestedRuns
from clef.runtime.gpus import NO_GPU
from clef.runtime.paths import link_target
from clef.tracking.location import store_uri
from clef.weights.releases import require_weights

TRAINING_RULES = ("pretrain", "finetune", "finetune_inner")


def check_before_start(jobs: Sequence[PlannedJob], runs: RequestedRuns, remote: bool) -> None:
    """Check device, fetched weights, the address of MLflow and write access for all jobs.

    GPUs of remote machines are unknown here.
    """
    if not remote and any(_device(job, runs) == "cuda" for job in jobs):
        require_cuda()
    for job in jobs:
        if job.rule in TRAINING_RULES:
            params = runs[job.wildcards["run"]].params
            require_weights(params.model)
            if params.tracking.mlflow:
                store_uri(Path())
    require_writable({Path(file).parent for job in jobs for file in (*job.outputs, *job.logs)})


def require_cuda() -> None:
    """Raise a ClefError if torch sees no GPU, so that a workflow fails before its first training."""
    script = "import torch; print('GPU' if torch.cuda.is_available() else 'none')"
    check = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if check.returncode:
        reason = (check.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ClefError(f"device: cuda asked for, but torch cannot be imported ({reason}); reinstall it")
    if check.stdout.split()[-1:] != ["GPU"]:
        raise ClefError(f"device: {NO_GPU}")


def require_writable(folders: Iterable[Path]) -> None:
    """Raise ClefError if a folder, or the nearest existing one above it, is not writable."""
    for folder in sorted({next(path for path in (own, *own.parents) if os.path.lexists(path)) for own in folders}):
        if not folder.exists():
            raise ClefError(
                f"{folder}: leads to {link_target(folder)}, which does not exist; mount that disk, or correct the link"
            )
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise ClefError(
                f"{folder}: not writable ({error.strerror}); change its permissions, or link it to another disk"
            ) from None


def handle_sigterm_in_thread() -> None:
    """Run the present handler of SIGTERM in a thread: Snakemake's waits for a lock that the main thread may hold."""
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    signal.signal(signal.SIGTERM, lambda *arguments: threading.Thread(target=handler, args=arguments).start())


def check_raw_data(names: Iterable[str], runs: RequestedRuns) -> None:
    """Run `clef check` for data sets, except rendered ones; exit with its output if one is not usable.

    On a cluster, and with `--keep-going`, the rule `ingest` does not hold back the cropping.
    """
    for dataset in names:
        if runs.over(dataset).dataset.completion_marker() is None:
            command = [sys.executable, "-m", "clef", "check", dataset]
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if ran.returncode:
                print(ran.stdout, end="", file=sys.stderr)
                sys.exit(1)


def datasets(jobs: Iterable[PlannedJob], *rules: str) -> list[str]:
    """Data sets of the jobs of these rules, sorted."""
    return sorted({job.wildcards["dataset"] for job in jobs if job.rule in rules})


def training_devices(jobs: Iterable[PlannedJob], runs: RequestedRuns) -> set[str]:
    """Devices of the trainings among the jobs."""
    return {runs[job.wildcards["run"]].params.device for job in jobs if job.rule in TRAINING_RULES}


def _device(job: PlannedJob, runs: RequestedRuns) -> str:
    if job.rule == "crop":
        return runs.over(job.wildcards["dataset"], job.wildcards["crop"]).params.crop.device
    return runs[job.wildcards["run"]].params.device if job.rule in TRAINING_RULES else "cpu"
