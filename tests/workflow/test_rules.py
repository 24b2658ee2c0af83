"""The rule graph: what is planned, and what a change makes stale. Real Snakemake, dry runs, no data."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, copy_checkout, snakemake


def planned(output: str) -> dict[str, int]:
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def test_the_demo_is_planned_from_nothing(checkout):
    jobs = planned(snakemake(checkout, "-n", "results/demo/summary.csv"))
    assert jobs == {
        "render_demo": 1,
        "ingest": 1,
        "crop": 18,
        "manifest": 1,
        "pretrain": 3,
        "finetune": 3,
        "evaluate": 3,
        "summarize": 1,
        "total": 31,
    }


def test_variants_share_crops_and_stage_1(checkout):
    targets = [f"results/{run}/summary.csv" for run in ("demo", "demo-no-pretrain", "demo-linear")]
    jobs = planned(snakemake(checkout, "-n", *targets))
    assert jobs["crop"] == 18
    assert jobs["manifest"] == 1
    assert jobs["pretrain"] == 3
    assert jobs["finetune"] == 9


def test_tuned_thresholds_cost_one_more_stage_2_a_fold(checkout):
    jobs = planned(snakemake(checkout, "-n", "results/demo-tuned/summary.csv"))
    assert jobs["pretrain"] == jobs["finetune"] == jobs["finetune_inner"] == jobs["evaluate"] == 3


SHIPPED = sorted(path.stem for path in (ROOT / "params").glob("*.yaml"))


@pytest.mark.parametrize("runs", [["demo"], ["bp4d"], SHIPPED], ids=["demo", "bp4d", "all that are shipped"])
def test_a_fresh_clone_is_planned_without_data_and_without_torch(checkout, runs):
    targets = [f"results/{run}/summary.csv" for run in runs]
    code = f"import sys, runpy; sys.argv = ['snakemake', '-n', '--cores', '2', *{targets}]\n"
    code += "try:\n    runpy.run_module('snakemake', run_name='__main__')\n"
    code += "except SystemExit as end:\n    assert not end.code\n"
    code += "assert not {'torch', 'open_clip', 'cv2'} & set(sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True, text=True)
    assert planned(ran.stdout)["summarize"] == len(runs)
    assert not (checkout / "data").exists()


def test_a_mistake_in_params_is_one_clear_line(checkout):
    path = checkout / "params" / "demo.yaml"
    path.write_text(path.read_text() + "\nfinetun: {}\n")
    output = snakemake(checkout, "-n", "results/demo/summary.csv", check=False)
    assert "params/demo.yaml: finetun: unknown key; did you mean finetune?" in output
    assert "Traceback" not in output


TRAININGS = """
include: "workflow/rules/runs.smk"
include: "workflow/rules/resources.smk"


rule all:
    input:
        "first",
        "second",


rule training:
    output:
        "{name,first|second}",
    resources:
        gpu=1,
    shell:
        "mkdir gpu && python -c 'import json, http.client' && rmdir gpu && touch {output}"
"""


def test_one_gpu_takes_one_training_at_a_time(checkout):
    (checkout / "trainings.smk").write_text(TRAININGS)
    snakemake(checkout, "--snakefile", "trainings.smk", "--cores", "8")
    (checkout / "first").unlink()
    (checkout / "second").unlink()
    both = snakemake(checkout, "--snakefile", "trainings.smk", "--cores", "8", "--resources", "gpu=2", check=False)
    assert "cannot create directory" in both


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A checkout in which everything of the demo is marked as made, with the records that Snakemake keeps of it."""
    folder = copy_checkout(tmp_path_factory.mktemp("made"))
    listed = snakemake(folder, "-n", "results/demo/summary.csv", "--detailed-summary")
    for line in listed.splitlines():
        name = line.split("\t")[0]
        if name.startswith(("data/", "results/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("made")
    snakemake(folder, "--touch", "--forceall", "results/demo/summary.csv")
    return folder


@pytest.fixture
def finished(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "finished"))


def test_a_finished_run_has_nothing_to_do(finished):
    assert stale(finished) == set()


def stale(folder: Path) -> set[str]:
    output = snakemake(folder, "-n", "results/demo/summary.csv")
    return set() if "Nothing to be done" in output else set(planned(output)) - {"total"}


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("finetune:\n", "finetune:\n  label_weight: none\n", {"finetune", "evaluate", "summarize"}),
        ("finetune:\n", "finetune:\n  workers: 1\n", set()),
        ("pretrain:\n", "pretrain:\n  image_text: 0.5\n", {"pretrain", "finetune", "evaluate", "summarize"}),
        ("device: cpu\n", "device: cpu\nevaluate: {threshold: 0.4}\n", {"evaluate", "summarize"}),
        ("device: cpu\n", "device: cpu\nevaluate: {bootstrap: 10}\n", {"summarize"}),
        ("device: cpu\n", "device: cpu\ngpus: 2\nevaluate: {batch: 8}\ntracking: {mlflow: false}\n", set()),
        ("device: cpu\n", "device: cpu\nlabels: {threshold: 2}\n", {"finetune", "evaluate", "summarize"}),
        ("threads: 1\n", "threads: 2\n", {"pretrain", "finetune", "evaluate", "summarize"}),
        (
            "kind: videos",
            "kind: videos, seed: 7",
            {"render_demo", "ingest", "crop", "manifest", "pretrain", "finetune", "evaluate", "summarize"},
        ),
        ("size: 72", "size: 80", {"crop", "manifest", "pretrain", "finetune", "evaluate", "summarize"}),
    ],
)
def test_a_change_makes_its_stage_and_what_follows_stale(finished, old, new, rules):
    path = finished / "params" / "demo.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert stale(finished) == rules


def test_another_share_held_out_trains_the_inner_stage_2_again_and_no_other(finished):
    path = finished / "params" / "demo.yaml"
    text = path.read_text()
    path.write_text(text + "\ntune: {held_out: 0.2}\n")
    assert stale(finished) == {"finetune_inner", "evaluate", "summarize"}
    for fold in finished.glob("results/demo/seed0/fold*"):
        for name in ("inner.safetensors", "inner.json", "inner.epochs.parquet"):
            (fold / name).write_text("made")
    snakemake(finished, "--touch", "--forceall", "results/demo/summary.csv")
    assert stale(finished) == set()
    path.write_text(text + "\ntune: {held_out: 0.3}\n")
    assert stale(finished) == {"finetune_inner", "evaluate", "summarize"}


def test_new_crop_settings_keep_the_old_crops(finished):
    before = set(finished.glob("data/interim/demo/*/F001.arrow"))
    path = finished / "params" / "demo.yaml"
    path.write_text(path.read_text().replace("size: 72", "size: 80"))
    output = snakemake(finished, "-n", "results/demo/summary.csv")
    crops = set(re.findall(r"data/interim/demo/(\w+)/F001\.arrow", output))
    assert crops - {folder.parent.name for folder in before}
    assert all(path.exists() for path in before)


def test_readme_and_training_code_make_nothing_stale(finished):
    (finished / "README.md").write_text("another")
    loss = finished / "clef" / "losses.py"
    loss.write_text(loss.read_text() + "\n# another comment\n")
    assert stale(finished) == set()


def test_another_architecture_under_the_same_name_trains_again(finished):
    path = finished / "clef" / "model" / "configs" / "clef-tiny.json"
    path.write_text(path.read_text().replace('"context_length": 40', '"context_length": 41'))
    assert stale(finished) == {"pretrain", "finetune", "evaluate", "summarize"}


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("clef/evaluation/fold/metrics.py", {"evaluate", "summarize"}),
        ("clef/training/inputs.py", {"evaluate", "summarize"}),
        ("clef/evaluation/run/summary.py", {"summarize"}),
        ("clef/plots/f1.py", {"summarize"}),
        ("clef/comparison/differences.py", set()),
        ("clef/manifest/table.py", {"manifest", "pretrain", "finetune", "evaluate", "summarize"}),
    ],
)
def test_code_of_cheap_rules_makes_them_stale(finished, code, rules):
    path = finished / code
    path.write_text(path.read_text() + "\n# another comment\n")
    assert stale(finished) == rules


@pytest.mark.parametrize("text", ["name: inner brow raiser", "a photo of a face where {}"])
def test_edited_texts_make_stale_what_used_them(finished, text):
    path = finished / "clef" / "texts.yaml"
    path.write_text(path.read_text().replace(text, f"{text} again"))
    assert stale(finished) == {"finetune", "evaluate", "summarize"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "detector: lbp",
            "detector: yunet\n  weights: none.onnx",
            "crop.weights: no file none.onnx; run `clef fetch-weights yunet --to none.onnx`, or get face_detection",
        ),
        ("number: 3", "number: 30", "params/demo-linear.yaml: folds.number: 30 folds of 18 subjects"),
        ("device: cpu", "device: cpu\ntexts: {file: none.yaml}", "texts.file: none.yaml: no such file"),
        ("device: cpu", "device: cpu\nlabels: {action_units: [1, 9]}", "labels: demo has no label AU09"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(checkout, old, new, message):
    path = checkout / "params" / "demo.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert message in snakemake(checkout, "-n", "results/demo/summary.csv", check=False)


def test_published_weights_are_fetched_before_anything_else(checkout, monkeypatch):
    path = checkout / "params" / "demo-short.yaml"
    path.write_text(path.read_text() + "\ncrop: {detector: retinaface, device: cpu}\n")
    target = "results/demo-short/summary.csv"
    assert planned(snakemake(checkout, "-n", target))["fetch_weights"] == 1
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    output = snakemake(checkout, target, check=False)
    for part in ("retinaface_resnet50_2020-07-20-f168fae3c.zip", "SHA-256", "weights/"):
        assert part in output
    assert "Finished jobid" not in output
    assert not (checkout / "data").exists() or not list((checkout / "data/raw").rglob("*.mp4"))


def test_a_name_that_is_a_pattern_means_itself(checkout):
    (checkout / "params" / "demo+.yaml").write_text("extends: demo\ndataset: {name: demo+}\n")
    assert planned(snakemake(checkout, "-n", "results/demo+/summary.csv"))["total"] == 32


def test_the_lock_of_a_killed_run_goes_without_a_number_of_cores(checkout):
    (checkout / ".snakemake" / "locks").mkdir(parents=True)
    (checkout / ".snakemake" / "locks" / "0.output.lock").write_text("results/demo/summary.csv\n")
    command = [sys.executable, "-m", "snakemake", "--unlock"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    assert not list(checkout.glob(".snakemake/locks/*"))


def test_a_training_asks_for_the_gpus_and_threads_of_all_its_processes(checkout):
    text = "extends: demo\ndevice: cuda\ngpus: 2\nthreads: 3\n"
    (checkout / "params" / "both.yaml").write_text(text)
    output = snakemake(checkout, "-n", "--cores", "8", "results/both/summary.csv", "--resources", "gpu=4")
    one = re.compile(r"rule (pretrain|finetune|evaluate):.*?resources: [^\n]*", re.DOTALL)
    blocks = {found[1]: found[0] for found in one.finditer(output)}
    for step, gpus, threads in (("pretrain", 2, 6), ("finetune", 2, 6), ("evaluate", 1, 3)):
        assert re.search(rf"threads: {threads}\b", blocks[step]), blocks[step]
        assert re.search(rf"gpu={gpus}\b", blocks[step]), blocks[step]
