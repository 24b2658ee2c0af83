"""The whole workflow on a real SLURM."""

import shutil
from collections import Counter

import pytest

from tests.interruption.comparison import TARGET, problems
from tests.slurm.submission import copy_of, finish, job_of_log, start, wait
from tests.workflow.conftest import snakemake

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

JOBS = {"ingest": 1, "crop": 6, "manifest": 1, "pretrain": 3, "finetune": 3, "evaluate": 3}
ON_GPUS = {"pretrain", "finetune"}
LOGS = ["data/interim/demo-short/**/*.log", "data/processed/**/*.log", "results/**/*.log"]


def test_every_step_is_a_job_and_results_are_those_of_one_machine(cluster, rendered, reference, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    before = {*cluster.jobs()}
    finish(cluster.environment, folder, start(cluster.environment, folder))
    assert problems(folder, reference) == []
    assert "Nothing to be done" in snakemake(folder, TARGET)  # without SLURM

    jobs = {number: job for number, job in cluster.jobs().items() if number not in before}
    logs = {log: job for pattern in LOGS for log in folder.glob(pattern) if (job := job_of_log(log))}
    assert sorted(job.number for job in logs.values()) == sorted(jobs)
    steps: Counter[str] = Counter()
    for log, logged in logs.items():
        job = jobs[logged.number]
        step = job.comment.removeprefix("rule_").split("_wildcards_")[0]
        steps[step] += 1
        assert (job.state, job.node) == ("COMPLETED", logged.node), log
        assert job.partition == ("gpu" if step in ON_GPUS else "cpu")
        assert logged.gpus in ({"0", "1"} if step in ON_GPUS else {None})
    assert steps == JOBS

    for record in folder.glob("results/**/fold*/*.track.json"):
        logged = job_of_log(record.with_suffix("").with_suffix(".log"))
        assert logged is not None
        assert f'"slurm.job_id": "{logged.number}"' in record.read_text()


def test_failing_step_is_tried_by_three_jobs_and_once_in_each(cluster, rendered, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    shutil.rmtree(folder / "data" / "raw" / "demo-short" / "videos")
    before = {*cluster.jobs()}
    run = start(cluster.environment, folder, targets=["data/interim/demo-short/sequences.parquet"])
    assert wait(run, folder) == 1
    assert [job.state for number, job in cluster.jobs().items() if number not in before] == ["FAILED"] * 3
    logs = [log.read_text() for log in folder.glob(".snakemake/slurm_logs/rule_*/**/*.log")]
    assert len(logs) == 3
    assert not [text for text in logs if "Trying to restart job" in text]
