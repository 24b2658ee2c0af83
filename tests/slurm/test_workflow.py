"""The whole chain on a real SLURM: every step is a job of it, and the result that of one machine."""

import shutil

import pytest

from tests.interruption.examine import TARGET, complaints
from tests.slurm.submission import copy_of, ended, finish, place_of, start
from tests.workflow.conftest import snakemake

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

JOBS = {"check": 1, "ingest": 1, "crop": 6, "manifest": 1, "pretrain": 3, "finetune": 3, "evaluate": 3}
ON_GPUS = {"pretrain", "finetune", "evaluate"}
LOGS = [
    "data/interim/demo-short/*.log",
    "data/interim/demo-short/*/*.log",
    "data/processed/**/*.log",
    "results/**/*.log",
]


def test_every_step_is_a_job_and_the_result_that_of_one_machine(cluster, rendered, on_one_machine, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    of_before = {*cluster.jobs()}
    finish(cluster, folder, start(cluster, folder))
    assert complaints(folder, on_one_machine) == []
    assert "Nothing to be done" in snakemake(folder, TARGET), "neither on a machine of one's own"

    jobs = {number: job for number, job in cluster.jobs().items() if number not in of_before}
    places = {log: place for pattern in LOGS for log in folder.glob(pattern) if (place := place_of(log))}
    assert {place.job for place in places.values()} == {*jobs}
    assert len(places) == len(jobs), "each has a job of its own"
    steps: dict[str, int] = {}
    for log, place in places.items():
        job = jobs[place.job]
        step = job.comment.removeprefix("rule_").split("_wildcards_")[0]
        steps[step] = steps.get(step, 0) + 1
        assert job.state == "COMPLETED", log
        assert job.node == place.node
        assert job.partition == ("gpu" if step in ON_GPUS else "cpu")
        assert place.gpus in ({"0", "1"} if step in ON_GPUS else {None})
    assert steps == JOBS

    for record in folder.glob("results/**/fold*/*.track.json"):
        place = place_of(record.with_suffix("").with_suffix(".log"))
        assert place is not None
        assert f'"slurm.job_id": "{place.job}"' in record.read_text()


def test_a_step_that_fails_is_tried_by_three_jobs_and_once_in_each(cluster, rendered, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    shutil.rmtree(folder / "data" / "raw" / "demo-short" / "videos")
    of_before = {*cluster.jobs()}
    assert ended(start(cluster, folder, targets=["data/interim/demo-short/check.txt"]), folder) == 1
    assert [job.state for number, job in cluster.jobs().items() if number not in of_before] == ["FAILED"] * 3
    words = [log.read_text() for log in folder.glob(".snakemake/slurm_logs/rule_check/**/*.log")]
    assert len(words) == 3
    assert not [text for text in words if "Trying to restart job" in text]
