"""A run that is interrupted on SLURM ends like an undisturbed one without SLURM."""

import random
import signal
import time

import pytest

from tests.interruption.comparison import problems
from tests.slurm.cluster import wait_until
from tests.slurm.job_interruptions import CHECKPOINT, JOB_INTERRUPTIONS, wait_for_job
from tests.slurm.submission import copy_of, finish, output_of, start

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

DRAW = random.Random(0)
RESUMED = "resuming from step"
PRETRAIN, FINETUNE = (CHECKPOINT.format(stage=stage) for stage in ("pretrain", "finetune"))


@pytest.mark.parametrize(
    ("name", "pattern", "final_state"),
    [
        ("scancel", PRETRAIN, "CANCELLED"),
        ("time limit", FINETUNE, "TIMEOUT"),
        ("scontrol requeue", PRETRAIN, "COMPLETED"),
        ("lost node", FINETUNE, "COMPLETED"),
        ("kill -9 of a job", FINETUNE, "FAILED"),
        ("kill -9 of Snakemake", PRETRAIN, "CANCELLED"),
    ],
)
def test_interrupted_training_is_resumed(cluster, cropped, reference, tmp_path, name, pattern, final_state):
    folder = copy_of(cropped, tmp_path / "checkout")
    run = start(cluster.environment, folder)
    job = wait_for_job(folder, run, DRAW, pattern)
    if name == "kill -9 of Snakemake":
        job.process.suspend()  # so that it does not finish before the next Snakemake cancels it
    JOB_INTERRUPTIONS[name](cluster, job, run)
    finish(cluster.environment, folder, run)
    assert cluster.jobs()[job.number].state == final_state
    assert RESUMED in job.target.with_suffix(".log").read_text()
    assert problems(folder, reference) == []
    assert (name == "kill -9 of Snakemake") == ("left in the queue by an earlier Snakemake" in output_of(folder))


def test_jobs_that_end_while_the_controller_is_down_are_not_repeated(cluster, cropped, reference, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    before = {*cluster.jobs()}
    run = start(cluster.environment, folder)
    job = wait_for_job(folder, run, DRAW, FINETUNE)
    JOB_INTERRUPTIONS["kill -9 of slurmctld"](cluster, job, run)
    finish(cluster.environment, folder, run)
    assert [job.state for number, job in cluster.jobs().items() if number not in before] == ["COMPLETED"] * 9
    assert problems(folder, reference) == []


def test_training_saves_before_its_time_limit_and_is_resumed_by_another_job(cluster, cropped, reference, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    run = start(cluster.environment, folder, "pretrain:runtime=1")
    job = wait_for_job(folder, run, DRAW, PRETRAIN)
    # Keep SLURM from enforcing the limit, and the training from finishing before its budget is used up.
    cluster.call("scontrol", "update", f"JobId={job.number}", "TimeLimit=10")
    job.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: time.time() - job.process.create_time() > 50, "the time budget is used up")
    job.process.send_signal(signal.SIGCONT)
    finish(cluster.environment, folder, run)
    assert "run the same command to resume" in output_of(folder)
    assert cluster.jobs()[job.number].state == "FAILED"
    assert RESUMED in job.target.with_suffix(".log").read_text()
    assert problems(folder, reference) == []
