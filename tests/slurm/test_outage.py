"""Submitting jobs while SLURM's controller is away."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.runs import load_params
from tests.slurm.cluster import wait_until
from tests.slurm.submission import FINISH_SECONDS, copy_of, said, start
from tests.workflow.conftest import ROOT

SBATCH = ROOT / "workflow" / "profiles" / "slurm" / "bin" / "sbatch"
AWAY = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
OUTAGE_SECONDS = 45
"""A submission fails after nine seconds, and most steps have three."""


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
    path = os.pathsep.join([str(SBATCH.parent), str(folder), os.defpath])
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


@pytest.mark.slow
@pytest.mark.slurm
def test_an_outage_while_jobs_are_submitted_costs_no_attempt(cluster, rendered, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    params = load_params(folder / "params" / "demo-short.yaml")
    crops = f"data/interim/{params.dataset.name}/{params.crop_digest}"
    shards = [f"{crops}/{shard}.arrow" for shard in open_dataset(params).shards()]
    running = start(cluster, folder, targets=shards)
    wait_until(lambda: "CLEF: the files asked for" in said(folder), 60, "Snakemake is about to submit")
    cluster.kill_controller()
    threading.Event().wait(OUTAGE_SECONDS)
    before = said(folder)
    cluster.start_controller()
    assert running.wait(FINISH_SECONDS) == 0, said(folder)
    assert before.count("has been submitted") < len(shards), "the controller was killed too late"
    assert said(folder).count("has been submitted") == len(shards)
    assert "rror" not in said(folder)
