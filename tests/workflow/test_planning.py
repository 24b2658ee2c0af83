"""What Snakemake plans, and which mistakes it reports before anything runs. No data."""

import re
import subprocess
import sys

import pytest
import torch

from tests.workflow.conftest import ROOT, edit, planned, snakemake

DEMO, SHORT = "results/demo/summary.csv", "results/demo-short/summary.csv"
SHIPPED = [f"results/{path.stem}/summary.csv" for path in (ROOT / "params").glob("*.yaml")]
HEAVY = {"torch", "open_clip", "cv2", "mlflow", "dvc", "matplotlib", "sklearn"}


def refused(checkout, message: str, *options: str) -> None:
    """Expect one error line, the last, and no output files."""
    output = snakemake(checkout, *options, SHORT, check=False)
    (line,) = (line for line in output.splitlines() if "rror" in line)
    assert line == output.splitlines()[-1]
    assert line.startswith("CLEF: error: ")
    assert message in line
    assert "Traceback" not in output
    assert not list((checkout / "results").rglob("*.*"))
    assert not (checkout / "data").exists()


def test_the_workflow_and_the_package_require_the_same_snakemake():
    (required,) = re.findall(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())
    assert f'"snakemake>={required},<' in (ROOT / "pyproject.toml").read_text()


def test_a_fresh_clone_plans_every_run_without_data_and_without_heavy_imports(checkout):
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "-n", "--cores", "2", *SHIPPED]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    assert planned(ran.stdout)["summarize"] == len(SHIPPED)
    assert not (checkout / "data").exists()
    imported = {line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "clef.params.schema" in imported
    assert not HEAVY & imported


def test_the_demo_is_planned(checkout):
    jobs = {"render_demo": 1, "ingest": 1, "crop": 18, "manifest": 1, "pretrain": 3, "finetune": 3, "evaluate": 3}
    assert planned(snakemake(checkout, "-n")) == jobs | {"summarize": 1, "all": 1}
    variants = [f"results/{run}/summary.csv" for run in ("demo", "demo-no-pretrain", "demo-linear")]
    assert planned(snakemake(checkout, "-n", *variants)) == jobs | {"finetune": 9, "evaluate": 9, "summarize": 3}


def test_variants_of_a_run_share_its_data_and_each_distinct_stage_1(checkout):
    data = {"render_demo": 1, "ingest": 1, "crop": 18, "manifest": 1}
    alone = planned(snakemake(checkout, "-n", "results/demo@pi-i@unseen/summary.csv"))
    assert alone == data | {"pretrain": 3, "finetune": 3, "evaluate": 3, "summarize": 1}
    # Seven of the thirteen rows start from no published weights; full CLEF and images only are the two stages 1.
    ablation = planned(snakemake(checkout, "-n", "results/demo/ablation.csv"))
    assert ablation == data | {"pretrain": 6, "finetune": 21, "evaluate": 21, "variants": 1}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("demo@lineer/summary", "demo@lineer: no variant lineer; did you mean linear?"),
        ("demo@labels10@linear/summary", "demo@labels10@linear: expected at most one row, then at most one setting"),
        ("demo/abblation", "results/demo/abblation.csv: no such table; did you mean ablation?"),
        ("demo@linear/core", "results/demo@linear/core.csv: a table of variants is made of a run and not of a variant"),
        ("demo-linear/ablation", "demo-linear: finetune.head is linear, and a table of variants is made of a run with"),
        ("demo-expr/ablation", "demo-expr: has no stage 1, and a table of variants is made of a run with"),
    ],
)
def test_a_variant_or_a_table_that_cannot_be_is_one_line(checkout, target, message):
    output = snakemake(checkout, "-n", f"results/{target}.csv", check=False)
    assert f"CLEF: error: {message}" in output
    assert "MissingRule" not in output
    assert "Traceback" not in output


def test_a_run_name_with_pattern_characters_is_taken_literally(checkout):
    (checkout / "params" / "demo+.yaml").write_text("extends: demo\ndataset: {name: demo+}\n")
    assert planned(snakemake(checkout, "-n", "results/demo+/summary.csv"))["crop"] == 18


def test_params_of_other_runs_stop_nothing(checkout):
    """Neither a mistake in them nor other options of the same data set, such as in bp4d-to-disfa."""
    (checkout / "params" / "broken.yaml").write_text("finetun: [\n")
    variant = "extends: bp4d\ndataset: {options: {subjects: [F001, F002, M001]}}\nfolds: {protocol: leave_one_out}\n"
    (checkout / "params" / "a-variant.yaml").write_text(variant)
    assert planned(snakemake(checkout, "-n", "results/a-variant/summary.csv"))["crop"] == 3
    both = snakemake(checkout, "-n", "results/bp4d/summary.csv", "results/a-variant/summary.csv", check=False)
    assert "CLEF: error: params/a-variant.yaml: dataset differs from bp4d.yaml, which uses the same data set" in both


def test_a_mistake_in_the_params_is_the_only_output(checkout):
    edit(checkout / "params/demo-short.yaml", "render:", "finetun: {epochs: 1}\nrender:")
    output = snakemake(checkout, "-n", SHORT, check=False)
    assert output.startswith("CLEF: error: params/demo-short.yaml: finetun: unknown key; did you mean finetune?")
    assert len(output.splitlines()) == 1, output


def test_missing_weights_are_reported_before_anything_runs(checkout):
    edit(checkout / "params/demo-short.yaml", "render:", "crop: {detector: yunet, weights: none.onnx}\nrender:")
    refused(checkout, "crop.weights: no file none.onnx; run `clef fetch-weights yunet --to none.onnx`, or get", "-n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_cuda_without_a_gpu_is_an_error_before_the_first_job_but_not_in_a_dry_run(checkout):
    edit(checkout / "params/demo-short.yaml", "render:", "device: cuda\nrender:")
    assert "results/demo-short/seed0/fold2/metrics.json" in snakemake(checkout, "-n", SHORT)
    refused(checkout, "device: cuda")


def test_a_mistyped_run_or_data_set_is_answered_by_the_nearest_name(checkout):
    for file in ("summary.csv", "plots/f1.png"):
        output = snakemake(checkout, "-n", f"results/dmeo/{file}", check=False)
        assert "CLEF: error: params: no run dmeo; did you mean demo?" in output
        assert "Traceback" not in output
        assert "MissingRule" not in output
    output = snakemake(checkout, "-n", "data/interim/dmeo/sequences.parquet", check=False)
    assert "CLEF: error: params: no run over a data set dmeo; did you mean demo?" in output
    (checkout / "results/gone").mkdir(parents=True)
    (checkout / "results/gone/summary.csv").touch()
    output = snakemake(checkout, "-n", "results/gone/summary.csv", check=False)
    assert "CLEF: error: results/gone: its params file is missing; restore it, or use `clef show gone`" in output


def test_published_weights_are_fetched_before_anything_else(checkout, monkeypatch):
    edit(checkout / "params/demo-short.yaml", "render:", "crop: {detector: retinaface, device: cpu}\nrender:")
    assert planned(snakemake(checkout, "-n", SHORT))["fetch_weights"] == 1
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    output = snakemake(checkout, SHORT, check=False)
    assert all(part in output for part in ("retinaface_resnet50_2020-07-20-f168fae3c.zip", "SHA-256", "weights/"))
    assert "Finished jobid" not in output
    assert not list((checkout / "data").rglob("*.mp4"))


GPU_JOBS = """
include: "workflow/rules/common.smk"


rule all:
    input:
        "first",
        "second",


rule training:
    output:
        "{name,first|second}",
    resources:
        gpu=1,
    params:
        meanwhile=config.get("meanwhile", "true"),
    shell:
        "mkdir started-{wildcards.name} && {params.meanwhile} && rmdir started-{wildcards.name} && touch {output}"
"""
TOGETHER = "until ls -d started-* first second 2> /dev/null | wc -l | grep -q 2; do sleep 0.1; done"
ALONE = "ls -d started-* | wc -l | grep -q 1"


def test_one_gpu_takes_one_training_at_a_time(checkout, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (checkout / "gpu.smk").write_text(GPU_JOBS)
    snakemake(checkout, "--snakefile", "gpu.smk", "--cores", "8", "--config", f"meanwhile={ALONE}")
    (checkout / "first").unlink()
    (checkout / "second").unlink()
    both = ("--resources", "gpu=2", "--config", f"meanwhile={TOGETHER}")
    snakemake(checkout, "--snakefile", "gpu.smk", "--cores", "8", *both)  # each waits for the other


WAITING_JOBS = """
from snakemake.scheduling.job_scheduler import JobScheduler


include: "Snakefile"


SELECTIONS, select = [], JobScheduler.job_selector


def counted(scheduler, jobs):
    SELECTIONS.append(len(jobs))
    return select(scheduler, jobs)


JobScheduler.job_selector = counted


rule last:
    input:
        "first",
        "second",
    output:
        "last",
    run:
        Path("last").touch()


rule waiting:
    output:
        "{name,first|second}",
    shell:
        "sleep 2.5 && touch {output}"


onsuccess:
    print("jobs to select from:", SELECTIONS)
"""


def test_waiting_jobs_are_looked_at_only_when_a_job_ends(checkout):
    # With its limit, Snakemake looks once a second, so the jobs last longer than that.
    (checkout / "waiting.smk").write_text(WAITING_JOBS)
    output = snakemake(checkout, "--snakefile", "waiting.smk", "--cores", "1", "last")
    assert "jobs to select from: [2, 1, 1]" in output


def test_jobs_that_take_long_or_that_others_wait_for_start_first(checkout):
    output = snakemake(checkout, "-n", DEMO)
    found = re.findall(r"^(?:local)?rule (\w+):\n((?: .*\n)*)", output, re.MULTILINE)
    priority = {rule: int((re.findall(r"priority: (\d+)", job) or [0])[0]) for rule, job in found}
    assert priority["ingest"] > priority["pretrain"] > priority["finetune"] > priority["evaluate"]


def test_a_training_asks_for_the_gpus_and_threads_of_all_its_processes(checkout):
    (checkout / "params" / "both.yaml").write_text("extends: demo\ndevice: cuda\ngpus: 2\nthreads: 3\n")
    output = snakemake(checkout, "-n", "--cores", "8", "results/both/summary.csv", "--resources", "gpu=4")
    one = re.compile(r"rule (pretrain|finetune):.*?threads: (\d+).*?gpu=(\d+)", re.DOTALL)
    assert {found.groups() for found in one.finditer(output)} == {
        ("pretrain", "6", "2"),
        ("finetune", "6", "2"),
    }


def test_the_graph_in_the_readme_is_current(checkout):
    printed = snakemake(checkout, "--rulegraph", "mermaid-js", "results/demo/summary.csv")
    names = dict(re.findall(r"^\s*(id\d+)\[\"?(\w+)", printed, re.MULTILINE))
    edges = {f"{names[a]} --> {names[b]}" for a, b in re.findall(r"^\s*(id\d+) --> (id\d+)", printed, re.MULTILINE)}
    (graph,) = re.findall(r"^```mermaid\nflowchart LR\n(.*?)\n```$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert {line.strip() for line in graph.splitlines()} == edges


def test_unlock_needs_no_number_of_cores(checkout):
    (checkout / ".snakemake" / "locks").mkdir(parents=True)
    (checkout / ".snakemake" / "locks" / "0.output.lock").write_text(f"{DEMO}\n")
    command = [sys.executable, "-m", "snakemake", "--unlock"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    assert not list(checkout.glob(".snakemake/locks/*"))
