"""Mistakes in params files, told by real Snakemake before anything runs."""

import pytest
import torch

from tests.workflow.conftest import snakemake

SHORT = "results/demo-short/summary.csv"


def edit(checkout, old: str, new: str, run: str = "demo-short") -> None:
    path = checkout / "params" / f"{run}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refused(checkout, message: str, *options: str) -> None:
    """Expect one line, and nothing made."""
    output = snakemake(checkout, *options, SHORT, check=False)
    assert [line for line in output.splitlines() if message in line], output
    assert "Traceback" not in output
    assert not list((checkout / "results").rglob("*.*"))
    assert not (checkout / "data").exists()


def test_given_folds_are_planned(checkout):
    folds = "folds: {protocol: given, test_subjects: [[F001, M001], [F002, M002], [F003], [M003]], number: 4}\n"
    edit(checkout, "render:", f"{folds}render:")
    output = snakemake(checkout, "-n", SHORT)
    assert "results/demo-short/seed0/fold3/metrics.json" in output
    assert "fold4" not in output


@pytest.mark.parametrize(
    ("test_subjects", "message"),
    [
        ("[[F001, F002], [F002, F003], [M001, M002, M003]]", "F002 is in folds 0 and 1"),
        ("[[F001, F002], [F003], [M001, M002]]", "no fold tests M003"),
        ("[[F001, F002], [F003, FM01], [M001, M002, M003]]", "fold 1: demo-short has no subject FM01; did you mean"),
    ],
)
def test_given_folds_that_do_not_part_the_subjects_are_told_in_a_dry_run(checkout, test_subjects, message):
    edit(checkout, "render:", f"folds: {{protocol: given, test_subjects: {test_subjects}}}\nrender:")
    refused(checkout, f"params/demo-short.yaml: folds.test_subjects: {message}", "-n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_told_before_the_first_job_and_can_be_planned(checkout):
    edit(checkout, "render:", "device: cuda\nrender:")
    assert "results/demo-short/seed0/fold2/metrics.json" in snakemake(checkout, "-n", SHORT)
    refused(checkout, "device: cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`")
