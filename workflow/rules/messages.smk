import sys
import time

from clef import messages, slurm
from clef.cuda import require_cuda

SAID = {}


def speaking():
    """Whether this process is the one that the user started, and is about to run jobs."""
    return workflow.is_main_process and not workflow.touch


def wants_gpu(job):
    return job.resources.get("gpu", 0) > 0


def frames_of(dataset):
    """Frames of a data set; None before `ingest` has counted those of recordings."""
    from pyarrow.parquet import read_table

    from clef.disk_space import demo_frames

    table, render = (
        Path(f"data/interim/{dataset}/sequences.parquet"),
        RUNS[RUN_OF_DATASET[dataset]].render,
    )
    if table.exists():
        return sum(count or 1 for count in read_table(table)["frames"].to_pylist())
    return None if render is None else demo_frames(render)


def disk_needs(jobs):
    """Bytes that the jobs will write, by folder; without crops of recordings that nobody has counted yet."""
    from clef import disk_space

    needs = {"data/raw": 0, "data/interim": 0, "results": 0}
    checkpoints = []
    for job in jobs:
        if job.rule.name == "render_demo":
            needs["data/raw"] += disk_space.demo_bytes(of_dataset(job.wildcards).render)
        elif job.rule.name == "crop":
            shards = len(DATASETS[RUN_OF_DATASET[job.wildcards.dataset]].shards())
            frames = frames_of(job.wildcards.dataset) or 0
            needs["data/interim"] += (
                frames / shards * disk_space.crop_bytes(of_crops(job.wildcards).crop)
            )
        elif "weights" in job.output.keys():
            checkpoints.append(disk_space.model_bytes(of_run(job.wildcards).model))
    at_once = min(len(checkpoints), CORES or len(checkpoints))
    needs["results"] = sum(checkpoints) + disk_space.RECOVERY * at_once * max(
        checkpoints, default=0
    )
    return {Path(folder): size for folder, size in needs.items() if size}


def end_orphans():
    """What a Snakemake that was killed left in the queue would hold what the jobs of this one need. Who started this one
    without its lock may have another at work.
    """
    if (
        workflow.executor_plugin.name == "slurm"
        and workflow.execution_settings.lock
        and (orphans := checked(slurm.end_orphans, Path.cwd()))
    ):
        print(messages.orphans_ended(orphans), file=sys.stderr)


onstart:
    if speaking():
        from clef.disk_space import require_space

        end_orphans()
        jobs = list(workflow.dag.needrun_jobs())
        runs = [job.wildcards.run for job in jobs if job.rule.name == "summarize"]
        devices = {
            of_run(job.wildcards).device
            for job in jobs
            if "weights" in job.output.keys()
        }
        # Under an executor the GPUs are elsewhere.
        if not ELSEWHERE and any(map(wants_gpu, jobs)):
            checked(require_cuda)
        listed = {
            job.wildcards.dataset
            for job in jobs
            if job.rule.name in ("check", "ingest", "crop")
        }
        for dataset in listed & LISTINGS.keys():
            LISTINGS[dataset].remember()
        disks = checked(require_space, disk_needs(jobs))
        SAID.update(runs=sorted(runs), began=time.monotonic())
        print(
            messages.started(
                SAID["runs"], len(jobs), CORES, sorted(devices), disks
            ),
            file=sys.stderr,
        )


onsuccess:
    if speaking():
        seconds = time.monotonic() - SAID["began"]
        print(messages.finished(SAID["runs"], seconds), file=sys.stderr)


onerror:
    if speaking():
        seconds = time.monotonic() - SAID["began"]
        jobs = {
            messages.job_name(job.rule.name, dict(job.wildcards.items())): job.log
            for job in workflow.scheduler.failed
        }
        print(messages.failed(jobs, seconds), file=sys.stderr)
