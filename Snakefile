from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/raw.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/variants.smk"


rule all:
    default_target: True
    input:
        "results/demo/summary.csv",
    localrule: True


import logging
import time

from clef.runs import messages, preflight
from clef.runtime import slurm
from clef.runtime.progress import NOTICE

BEGAN = time.time()
PLANNED = []


onstart:
    if workflow.is_main_process and not workflow.touch:
        for job in workflow.dag.needrun_jobs():
            wildcards = dict(job.wildcards.items())
            PLANNED.append(
                messages.PlannedJob(job.rule.name, wildcards, job.output, job.log)
            )
        preflight.handle_sigterm_in_thread()
        checked(preflight.check_before_start, PLANNED, RUNS, REMOTE)
        for warning in RUNS.warnings():
            print(f"CLEF: warning: {warning}", file=sys.stderr)
        remember_digests(preflight.datasets(PLANNED, "ingest", "crop"))
        if REMOTE or workflow.execution_settings.keep_going:
            preflight.check_raw_data(preflight.datasets(PLANNED, "ingest"), RUNS)
        if REMOTE:
            # Show log lines, such as that it waits for another login node.
            logging.getLogger("clef").addHandler(logging.StreamHandler())
            logging.getLogger("clef").setLevel(NOTICE)
            programs = Path(workflow.basedir, "workflow/profiles/slurm/bin")
            if cancelled := checked(slurm.prepare_submission, Path.cwd(), programs):
                print(messages.cancelled(cancelled), file=sys.stderr)
        else:
            # With a limit of submissions a second, Snakemake looks at every input of all waiting jobs once a second, and
            # takes a sixth of a core from the trainings.
            workflow.scheduler.job_rate_limiter = None
        devices = preflight.training_devices(PLANNED, RUNS)
        print(messages.started(PLANNED, devices), file=sys.stderr)


onsuccess:
    if PLANNED:
        print(messages.finished(PLANNED, time.time() - BEGAN), file=sys.stderr)


onerror:
    if PLANNED:
        print(messages.failed(PLANNED, BEGAN), file=sys.stderr)
