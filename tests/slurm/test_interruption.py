"""What a cluster does to a run: it ends all the same as an undisturbed one, without a cluster, does."""

import random
import signal
import threading
import time

import pytest

from tests.interruption.examine import complaints
from tests.slurm import means
from tests.slurm.submission import copy_of, finish, said, start

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

DRAW = random.Random(0)
PRETRAIN, FINETUNE = (means.TRAINING_SAVED.format(stage=stage) for stage in ("pretrain", "finetune"))


CASES = {
    "scancel": (PRETRAIN, "CANCELLED"),
    "time limit": (FINETUNE, "TIMEOUT"),
    "scontrol requeue": (PRETRAIN, "COMPLETED"),
    "lost node": (FINETUNE, "COMPLETED"),
    "kill -9 of a job": (FINETUNE, "FAILED"),
    "kill -9 of Snakemake": (PRETRAIN, "CANCELLED"),
}
"""When each interrupts, and what SLURM then says of the job."""


@pytest.mark.parametrize("name", CASES)
def test_an_interrupted_training_goes_on_to_the_same_bytes(cluster, cropped, on_one_machine, tmp_path, name):
    sign, comes_to = CASES[name]
    folder = copy_of(cropped, tmp_path / "checkout")
    running = start(cluster, folder)
    step = means.some_job(folder, running, DRAW, sign)
    means.BY_NAME[name](cluster, step, running)
    finish(cluster, folder, running)
    assert cluster.jobs()[step.job].state == comes_to
    assert "going on from step" in step.target.with_suffix(".log").read_text()
    assert complaints(folder, on_one_machine) == []
    if name == "kill -9 of Snakemake":
        assert "an earlier Snakemake had left SLURM job" in said(folder)


def test_jobs_that_end_while_the_controller_is_away_are_not_run_again(cluster, cropped, on_one_machine, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    of_before = {*cluster.jobs()}
    running = start(cluster, folder)
    step = means.some_job(folder, running, DRAW, FINETUNE)
    means.BY_NAME["kill -9 of slurmctld"](cluster, step, running)
    finish(cluster, folder, running)
    states = [job.state for number, job in cluster.jobs().items() if number not in of_before]
    assert states == ["COMPLETED"] * 9
    assert complaints(folder, on_one_machine) == []


def test_a_training_stops_before_its_time_limit_and_goes_on_in_another_job(cluster, cropped, on_one_machine, tmp_path):
    folder = copy_of(cropped, tmp_path / "checkout")
    running = start(cluster, folder, "pretrain:runtime=1")
    step = means.some_job(folder, running, DRAW, PRETRAIN)
    # SLURM itself, on a slow machine, must not be first: what is tested is that the training does not wait for it.
    cluster.call("scontrol", "update", f"JobId={step.job}", "TimeLimit=10")
    step.process.send_signal(signal.SIGSTOP)
    threading.Event().wait(step.process.create_time() + 50 - time.time())
    step.process.send_signal(signal.SIGCONT)
    finish(cluster, folder, running)
    assert "the time it was given is up; the same command goes on from there" in said(folder)
    assert cluster.jobs()[step.job].state == "FAILED"
    assert "going on from step" in step.target.with_suffix(".log").read_text()
    assert complaints(folder, on_one_machine) == []
