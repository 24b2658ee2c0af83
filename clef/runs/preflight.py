"""Checks of a whole call of the workflow, before its first job."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from clef.runs.messages import PlannedJob
from clef.runs.requested import RequestedRuns, Run
from clef.runtime import disk_space
from clef.runtime.gpus import require_cuda
from clef.runtime.paths import INTERIM, RAW, RESULTS, sequences_file
from clef.weights.releases import require_fetched

TRAININGS = ("pretrain", "finetune", "finetune_inner")


def check_before_start(jobs: Sequence[PlannedJob], runs: RequestedRuns, remote: bool) -> list[str]:
    """Check device, fetched weights, write access and disk space for all jobs.

    Args:
        jobs: All that are about to run.
        runs: The requested runs.
        remote: Whether jobs run on other machines, whose GPUs are unknown here.

    Returns:
        A line for each disk with the space needed and the space free.
    """
    if not remote and any(_device(job, runs) == "cuda" for job in jobs):
        require_cuda()
    for job in jobs:
        if job.rule in TRAININGS:
            require_fetched(runs[job.wildcards["run"]].params.model)
    disk_space.require_writable({Path(file).parent for job in jobs for file in (*job.outputs, *job.logs)})
    counted = all(_frames(runs.over(dataset))[1] for dataset in datasets(jobs, "crop"))
    return disk_space.require_space(_disk_needs(jobs, runs), not counted)


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
    return {runs[job.wildcards["run"]].params.device for job in jobs if job.rule in TRAININGS}


def _device(job: PlannedJob, runs: RequestedRuns) -> str:
    if job.rule == "crop":
        return runs.over(job.wildcards["dataset"], job.wildcards["crop"]).params.crop.device
    return runs[job.wildcards["run"]].params.device if job.rule in (*TRAININGS, "evaluate") else "cpu"


def _disk_needs(jobs: Iterable[PlannedJob], runs: RequestedRuns) -> dict[Path, float]:
    """Bytes that the jobs will write, by folder."""
    needs: dict[Path, float] = {RAW: 0, INTERIM: 0, RESULTS: 0}
    for job in jobs:
        if job.rule == "render_demo" and (render := runs.over(job.wildcards["dataset"]).params.render) is not None:
            needs[RAW] += disk_space.demo_bytes(render)
        elif job.rule == "crop":
            run = runs.over(job.wildcards["dataset"], job.wildcards["crop"])
            needs[INTERIM] += _frames(run)[0] / len(run.shards) * disk_space.crop_bytes(run.params.crop)
        elif job.rule in TRAININGS:
            needs[RESULTS] += disk_space.training_bytes(runs[job.wildcards["run"]].params.model)
    return {folder: size for folder, size in needs.items() if size}


def _frames(run: Run) -> tuple[int, bool]:
    """Frames of a data set, and whether the number is exact: before `ingest`, only published numbers are known."""
    from pyarrow.parquet import read_table

    table = sequences_file(run.dataset.name)
    if table.exists():
        return sum(count or 1 for count in read_table(table, columns=["frames"])["frames"].to_pylist()), True
    if run.params.render is not None:
        return disk_space.demo_frames(run.params.render), True
    published = run.dataset.published_counts
    return 0 if published is None else published.labelled_frames or 0, False
