"""What the workflow plans for the probes of a run. Real Snakemake, dry runs, no data."""

import pytest

from tests.workflow.conftest import edit, planned, snakemake, stale

TARGET = "results/demo/probe.csv"
PROBES = {"probe_fold": 3, "probe": 1}


def test_a_run_is_trained_and_probed_but_a_summary_needs_no_probe(checkout):
    jobs = planned(snakemake(checkout, "-n", TARGET))
    assert jobs.items() >= {"pretrain": 3, "finetune": 3, **PROBES}.items()
    assert not {"evaluate", "summarize"} & jobs.keys()
    assert not PROBES.keys() & planned(snakemake(checkout, "-n", "results/demo/summary.csv")).keys()
    without = snakemake(checkout, "-n", "-p", "results/demo-no-pretrain/probe.csv")
    assert "pretrain" not in planned(without)
    assert "--stage1" not in without
    of_another = snakemake(checkout, "-n", "-p", "results/demo-linear/probe.csv")
    assert "--stage1 results/demo/seed0/fold0/pretrain.safetensors --weights results/demo-linear/" in of_another


@pytest.mark.parametrize(
    ("file", "old", "new", "jobs"),
    [
        ("params/demo.yaml", "device: cpu\n", "device: cpu\nprobe: {stride: 5}\n", {}),
        ("params/demo.yaml", "device: cpu\n", "device: cpu\nprobe: {stride: 2}\n", PROBES),
        ("params/demo.yaml", "device: cpu\n", "device: cpu\nevaluate: {threshold: 0.4}\n", {}),
        ("params/demo.yaml", "finetune:\n", "finetune:\n  label_weight: none\n", {"finetune": 3, **PROBES}),
        ("clef/evaluation/probe/probe.py", "\n", "\n# a comment\n", PROBES),
        ("clef/evaluation/probe/table.py", "\n", "\n# a comment\n", {"probe": 1}),
    ],
)
def test_a_change_makes_the_probes_stale(finished, file, old, new, jobs):
    edit(finished / file, old, new)
    assert stale(finished, TARGET) == jobs


def test_a_stage_1_that_was_removed_is_not_trained_again_for_its_row(finished):
    (finished / "results/demo/seed0/fold1/pretrain.safetensors").unlink()
    (finished / "results/demo/seed0/fold1/probe.json").unlink()
    assert stale(finished, TARGET) == {"probe_fold": 1, "probe": 1}
