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


def refused(checkout, message: str, *options: str) -> str:
    """Expect one line, the last, and nothing made; returns all that is said."""
    output = snakemake(checkout, *options, SHORT, check=False)
    (line,) = (line for line in output.splitlines() if "rror" in line)
    assert line == output.splitlines()[-1]
    assert line.startswith("CLEF: error: ")
    assert message in line
    assert "Traceback" not in output
    assert not list((checkout / "results").rglob("*.*"))
    assert not (checkout / "data").exists()
    return output


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("render:", "finetun: {epochs: 1}\nrender:", "finetun: unknown key; did you mean finetune?"),
        ("render:", "threads: many\nrender:", "threads: input should be a valid integer"),
        ("render:", "seeds: 0\nrender:", "seeds: input should be a valid list, found 0"),
        ("extends: demo\n", "extends: dem\n", "extends: no file params/dem.yaml; did you mean demo?"),
        ("extends: demo\n", "extends: demo-short\n", "extends runs in a circle: demo-short -> demo-short"),
        (
            "extends: demo\n",
            "extends: ../demo\n",
            "extends: expected the name of a params file beside it, without .yaml",
        ),
        ("extends: demo\n", "extends: demo\n? [a, b]\n: 1\n", "not valid YAML: line 3: a list stands where a key is"),
        ("extends: demo\n", "extends: demo\nextends: demo\n", "not valid YAML: line 3: the key extends stands twice"),
        ("render:", "render: {kind: videos}\ncrop: 3\nbroken: [\nrender:", "not valid YAML"),
    ],
)
def test_a_mistake_is_all_that_is_said(checkout, old, new, message):
    edit(checkout, old, new)
    output = refused(checkout, f"params/demo-short.yaml: {message}", "-n")
    assert len(output.splitlines()) == 1, output


def test_a_circle_of_several_files_names_them_all(checkout):
    edit(checkout, "extends: demo", "extends: demo-linear")
    edit(checkout, "extends: demo", "extends: demo-short", run="demo-linear")
    refused(checkout, "demo-linear -> demo-short -> demo-linear", "-n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_told_before_the_first_job_and_can_be_planned(checkout):
    edit(checkout, "render:", "device: cuda\nrender:")
    assert "results/demo-short/seed0/fold2/metrics.json" in snakemake(checkout, "-n", SHORT)
    refused(checkout, "device: cuda asked for, but torch sees no GPU; run where there is one, or set `device: cpu`")
