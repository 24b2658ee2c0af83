"""Submitting jobs, and asking after them, while SLURM's controller is away."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.runs.load import load_params
from tests.slurm.cluster import wait_until
from tests.slurm.submission import copy_of, ended, said, start
from tests.workflow.conftest import ROOT

PROGRAMS = ROOT / "workflow" / "profiles" / "slurm" / "bin"
AWAY = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
SUBMITTED = "has been submitted"
OUTAGE_SECONDS = 70
"""A submission or a question fails after nine seconds; plugin 2.8 asks five times by default."""


def submit(folder: Path, *answers: str, patience: str = "60") -> subprocess.CompletedProcess[str]:
    """Call the profile's sbatch with a cluster's own that gives these answers in turn: an id, or an error.

    Returns:
        What came of it; `asked` in the folder has a line a call of the cluster's own.
    """
    for number, answer in enumerate(answers, start=1):
        (folder / f"answer{number}").write_text(answer)
    own = folder / "sbatch"
    own.write_text(
        f"""#!/bin/sh
cd {folder}
echo "$PATH $*" >> asked
answer=$(cat "answer$(wc -l < asked)")
case $answer in *error*) echo "$answer" >&2; exit 7;; esac
echo "a warning" >&2
echo "$answer"
"""
    )
    own.chmod(0o755)
    path = os.pathsep.join([str(PROGRAMS), str(folder), os.defpath])
    return subprocess.run(
        ["sh", "-c", "sbatch --wrap=\"echo 'a  b'\""],
        env={"PATH": path, "CLEF_SBATCH_PATIENCE": patience},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_submission_waits_for_the_controller(tmp_path):
    ran = submit(tmp_path, AWAY, AWAY, "12")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "12\n", "a warning\n")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"{tmp_path}:{os.defpath} --wrap=echo 'a  b'"] * 3, "and the job's PATH is that of Snakemake"


def test_not_for_ever(tmp_path):
    ran = submit(tmp_path, AWAY, "12", patience="0")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "", f"{AWAY}\n")


@pytest.mark.parametrize("error", ["error: invalid partition", "error: Socket timed out on send/recv operation"])
def test_where_a_wait_mends_nothing_or_there_may_be_a_job_it_fails_at_once(tmp_path, error):
    ran = submit(tmp_path, error, "12")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "", f"{error}\n")


QUESTION = ["sacct", "-X", "--noheader", "--name", "clef_1", "--format=JobIdRaw,State"]
DISABLED = "Slurm accounting storage is disabled"


def asked(folder: Path, sacct: str, *question: str) -> subprocess.CompletedProcess[str]:
    """Ask the profile's sacct, with a cluster's own that does this, and with a squeue that tells what it was asked."""
    for name, body in {"sacct": sacct, "squeue": 'echo "squeue $*"; exit 3'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    path = os.pathsep.join([str(PROGRAMS), str(folder), os.defpath])
    return subprocess.run(
        question,
        env={"PATH": path},
        executable=PROGRAMS / "sacct",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_where_accounts_are_kept_they_answer(tmp_path):
    ran = asked(tmp_path, 'echo "$PATH $*"; echo "a warning" >&2; exit 4', *QUESTION)
    assert (ran.returncode, ran.stderr) == (4, "a warning\n")
    assert ran.stdout == f"{tmp_path}:{os.defpath} {' '.join(QUESTION[1:])}\n"


def test_where_none_are_kept_the_queue_answers_for_the_jobs_of_a_run(tmp_path):
    ran = asked(tmp_path, f'echo "{DISABLED}" >&2; exit 1', *QUESTION)
    assert (ran.returncode, ran.stderr) == (3, "")
    assert ran.stdout == "squeue --format=%i|%T --states=all --noheader --name clef_1\n"


def test_other_questions_to_accounts_that_are_not_kept_fail_as_ever(tmp_path):
    ran = asked(tmp_path, f'echo "{DISABLED}" >&2; exit 1', "sacct", "-nu", "me", "-o", "Account")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{DISABLED}\n")


@pytest.mark.slow
@pytest.mark.slurm
def test_an_outage_while_jobs_are_submitted_and_asked_after_costs_no_attempt(cluster, rendered, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    params = load_params(folder / "params" / "demo-short.yaml")
    crops = f"data/interim/{params.dataset.name}/{params.crop_digest}"
    shards = [f"{crops}/{shard}.arrow" for shard in open_dataset(params).shards()]
    running = start(cluster, folder, targets=shards, options=["--max-jobs-per-timespan", "2/10s"])
    wait_until(lambda: SUBMITTED in said(folder), 60, "Snakemake has submitted a job")
    cluster.stop_controller()
    threading.Event().wait(OUTAGE_SECONDS)
    before = said(folder)
    cluster.start_controller()
    assert ended(running, folder) == 0, said(folder)
    assert before.count(SUBMITTED) < len(shards), "the controller was stopped too late"
    assert said(folder).count(SUBMITTED) == len(shards)
    assert "rror" not in said(folder)
