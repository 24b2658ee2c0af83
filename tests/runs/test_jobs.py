"""The jobs of runs that take something from others."""

import pytest

from clef.runs.jobs import jobs_of
from tests.toy import toy_params

PLUS = toy_params(dataset={"name": "plus"})


@pytest.mark.parametrize(
    ("changes", "pretrained", "cropped"),
    [
        ({}, {("toy", 0), ("toy", 1), ("toy", 2)}, {"toy"}),
        ({"pretrain": {"from": "plus"}}, {("plus", "all")}, {"toy", "plus"}),
        ({"pretrain": {"also": ["plus"]}}, {("toy", 0), ("toy", 1), ("toy", 2)}, {"toy", "plus"}),
        ({"pretrain": {"from": "joined"}}, {("joined", 0), ("joined", 1), ("joined", 2)}, {"toy", "plus"}),
        ({"test": {"run": "plus"}}, {("toy", "all")}, {"toy", "plus"}),
    ],
)
def test_jobs_of_other_runs_that_a_run_needs_are_included(changes, pretrained, cropped):
    runs = {"toy": toy_params(**changes), "plus": PLUS, "joined": toy_params(pretrain={"also": ["plus"]})}
    jobs = jobs_of("toy", runs)
    assert {(job.owner, job.fold) for job in jobs if job.step == "pretrain"} == pretrained
    assert {job.owner for job in jobs if job.step == "crop"} == cropped
    assert len({job.target for job in jobs}) == len(jobs)


def test_a_job_has_the_name_that_its_log_shows():
    names = {job.name for job in jobs_of("toy", {"toy": toy_params(tune={"held_out": 0.3})})}
    assert {"render-demo toy", "crop toy F001", "finetune toy seed 0 fold 0 inner", "summarize toy"} <= names
