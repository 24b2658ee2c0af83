# What a job may take, here and on a cluster.
from clef.runtime.gpus import gpus_here

# None under an executor, where they are elsewhere, and inside its jobs, which must ask for what was submitted.
ELSEWHERE = workflow.remote_exec or workflow.resource_settings.nodes is not None
CORES = None if ELSEWHERE else workflow.resource_settings.cores

# How often a job is tried again that no time limit stops: on a cluster a node may have been at fault.
# Those who submit count; a rule's own number would hold once more inside each job.
FEW = 2 if ELSEWHERE and not workflow.remote_exec else None

# Snakemake ignores resource limits that nobody set: without this, `--cores 8` would start two trainings on one GPU.
# Each job takes GPUs of its own. `--resources gpu=N` still wins. Not under an executor, where it would serialise the
# cluster, nor inside its jobs.
if workflow.is_main_process and not ELSEWHERE:
    workflow.global_resources.setdefault("gpu", max(gpus_here(), 1))


def gpus(of, name=None):
    """One GPU where the settings ask for cuda, none elsewhere."""
    return lambda wildcards: int(
        (getattr(of(wildcards), name) if name else of(wildcards)).device == "cuda"
    )


def training_gpus(wildcards):
    """GPUs of a training: each of its processes has one."""
    run = of_run(wildcards)
    return run.gpus if run.device == "cuda" else 0


def training_threads(wildcards):
    run = of_run(wildcards)
    return run.gpus * run.threads


def training_memory(wildcards):
    """Of a large model's processes, with those that decode beside them."""
    return 16000 * of_run(wildcards).gpus


def attempt_number(wildcards, attempt):
    return attempt


def cluster_limits(wildcards, resources):
    """What a training is told of a cluster's job: its time limit, before which it saves and stops, since no signal
    reaches it there, and which try it is. Nothing on a machine of one's own. For its argument `resources`, Snakemake keeps
    it out of what makes a result stale.
    """
    if not workflow.remote_exec:
        return []
    return ["--time-budget", resources.runtime, *cluster_try(wildcards, resources)]


def cluster_try(wildcards, resources):
    """What a step that a time limit may stop is told of a cluster's job: which try it is. Nothing on a machine of one's
    own."""
    return ["--attempt", resources.attempt] if workflow.remote_exec else []
