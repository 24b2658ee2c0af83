"""The jobs of runs that take something from others."""

import pytest

from clef.runs.jobs import jobs_of
from clef.runs.load import named_runs
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
def test_what_a_run_takes_from_others_is_among_its_jobs(changes, pretrained, cropped):
    runs = {"toy": toy_params(**changes), "plus": PLUS, "joined": toy_params(pretrain={"also": ["plus"]})}
    jobs = jobs_of("toy", runs)
    assert {(job.of, job.fold) for job in jobs if job.step == "pretrain"} == pretrained
    assert {job.of for job in jobs if job.step == "crop"} == cropped
    assert len({job.target for job in jobs}) == len(jobs)


def test_the_runs_that_a_run_names():
    params = toy_params(pretrain={"also": ["one", "two"]}, test={"run": "three"})
    assert named_runs(params) == ["one", "two", "three"]
    assert named_runs(toy_params(pretrain={"from": "one"})) == ["one"]
    assert named_runs(toy_params(pretrain=None)) == []
