import logging
import subprocess
import sys
import time

from clef.runs import messages

from clef.runtime import slurm
from clef.runtime.gpus import require_cuda
from clef.demo.ownership import adopt
from clef.runtime.progress import NOTICE

SAID = {}


def speaking():
    """Whether this process is the one that the user started, and is about to run jobs."""
    return workflow.is_main_process and not workflow.touch


def wants_gpu(job):
    return job.resources.get("gpu", 0) > 0


def is_counted(dataset):
    """Whether the frames of a data set are known and not only how many there must be at least."""
    render = RUNS[RUN_OF_DATASET[dataset]].render
    return (
        render is not None or Path(f"data/interim/{dataset}/sequences.parquet").exists()
    )


def frames_of(dataset):
    """Frames of a data set; before `ingest` has counted them, as many as are published to be labelled."""
    from pyarrow.parquet import read_table

    from clef.runtime.disk_space import demo_frames

    table, render = (
        Path(f"data/interim/{dataset}/sequences.parquet"),
        RUNS[RUN_OF_DATASET[dataset]].render,
    )
    if table.exists():
        return sum(count or 1 for count in read_table(table)["frames"].to_pylist())
    if render is not None:
        return demo_frames(render)
    known = DATASETS[RUN_OF_DATASET[dataset]].published_counts
    return 0 if known is None else known.labelled_frames or 0


def folders_written(jobs):
    return {Path(file).parent for job in jobs for file in (*job.output, *job.log)}


def disk_needs(jobs):
    """Bytes that the jobs will write, by folder."""
    from clef.runtime import disk_space

    needs = {"data/raw": 0, "data/interim": 0, "results": 0}
    checkpoints = []
    for job in jobs:
        if job.rule.name == "render_demo":
            needs["data/raw"] += disk_space.demo_bytes(of_dataset(job.wildcards).render)
        elif job.rule.name == "crop":
            shards = len(DATASETS[RUN_OF_DATASET[job.wildcards.dataset]].shards())
            frames = frames_of(job.wildcards.dataset)
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


def refuse_broken_copies(jobs):
    """Check the copies of data sets before any job is submitted. Where all jobs are of this machine, the rule `check` is
    alone in its turn; elsewhere, or where jobs go on after one has failed, nothing would keep croppings back.
    """
    if not (ELSEWHERE or workflow.execution_settings.keep_going):
        return
    for dataset in sorted(
        {job.wildcards.dataset for job in jobs if job.rule.name == "check"}
    ):
        if DATASETS[RUN_OF_DATASET[dataset]].completion_marker() is None:
            command = [sys.executable, "-m", "clef", "check", dataset]
            ran = subprocess.run(command, capture_output=True, text=True)
            if ran.returncode:
                print(ran.stdout + ran.stderr, end="", file=sys.stderr)
                sys.exit(1)


def attend(jobs):
    """Get ready for jobs on SLURM: take out of the queue what a Snakemake that was killed left there, which would hold
    what they need, and keep them from being taken out while this one lives.
    """
    submitted = [job for job in jobs if not job.is_local]
    if workflow.executor_plugin.name != "slurm" or not submitted:
        return
    slurm.submit_by(Path(workflow.basedir, "workflow/profiles/slurm/bin"))
    slurm.attend(Path.cwd(), workflow.scheduler.get_executor(submitted[0]).run_uuid)
    # A lease held on another login node is waited for.
    logging.getLogger("clef").addHandler(logging.StreamHandler())
    logging.getLogger("clef").setLevel(NOTICE)
    if orphans := checked(slurm.end_orphans, Path.cwd()):
        print(messages.orphans_ended(orphans), file=sys.stderr)


onstart:
    if speaking():
        from clef.runtime.disk_space import require_space, require_writable

        jobs = list(workflow.dag.needrun_jobs())
        attend(jobs)
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
        refuse_broken_copies(jobs)
        cropped = {job.wildcards.dataset for job in jobs if job.rule.name == "crop"}
        checked(require_writable, folders_written(jobs))
        disks = checked(
            require_space, disk_needs(jobs), not all(map(is_counted, cropped))
        )
        # Snakemake is about to remove the record of what was rendered before.
        for job in jobs:
            if job.rule.name == "render_demo":
                checked(adopt, Path(job.output[0]).parent)
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
