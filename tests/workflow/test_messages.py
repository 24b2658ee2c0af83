"""What a user of the workflow sees. Real Snakemake, real jobs."""

import re
import subprocess
import sys

import pytest

from tests.mounts import unwritable
from tests.workflow.conftest import only_run, snakemake

FEW = """
dataset: {adapter: demo_expr, name: few}
device: cpu
render: {kind: stills, size: 160, train_images: 20, test_images: 30}
crop: {detector: lbp}
labels: {kind: expressions, expressions: [neutral, happiness]}
folds: {protocol: official, number: 1}
model: {name: clef-tiny, image_size: 64}
pretrain: null
"""
LISTED = "data/interim/few/sequences.parquet"


@pytest.fixture
def few(checkout):
    only_run(checkout, "few", FEW)
    return checkout


def test_a_run_is_told_in_whole_lines_from_start_to_end(few):
    output = snakemake(few, LISTED, "--quiet", "rules", "host")
    lines = output.splitlines()
    assert "CLEF: the files asked for" in lines
    assert re.search(r"^  disk    about \d+ kB needed in data/raw/, .* free$", output, re.MULTILINE)
    assert "render-demo few: 51 files in data/raw/few" in lines
    assert "check few: complete: all as expected" in lines
    assert "ingest few: 50 recordings" in lines
    assert re.search(r"^CLEF: done in .* Next:$", output, re.MULTILINE)
    assert "50 of 50 expected recordings" in (few / "data/interim/few/ingest.log").read_text()


def test_a_failed_job_is_led_and_ended_by_its_own_line(few):
    snakemake(few, "data/raw/few/render.json")
    for path in (few / "data/raw/few/images").rglob("*.jpg"):
        path.unlink()
    output = snakemake(few, LISTED, "--quiet", "rules", "host", check=False)
    told = "check few: error: not usable: no recordings of few found"
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if "rror" in line)
    assert lines[first].startswith(told)
    summary = lines.index("CLEF: 1 job failed. Mend the cause, then the same command goes on.")
    assert lines[summary + 1].startswith(f"  {told}")
    assert "(log: data/interim/few/check.log)" in lines[summary + 1]


def test_dry_runs_and_touches_say_nothing(few):
    assert "CLEF" not in snakemake(few, "-n", LISTED)
    snakemake(few, LISTED)
    assert "CLEF" not in snakemake(few, LISTED, "--touch", "--forceall")
    assert "CLEF" not in snakemake(few, LISTED)


def test_a_run_that_cannot_fit_is_refused_before_it_starts(few):
    path = few / "params" / "few.yaml"
    path.write_text(FEW.replace("train_images: 20", "train_images: 2000000000"))
    output = snakemake(few, LISTED, check=False)
    assert re.search(r"data/raw/: this run needs about [\d.]+ TB, the disk has .* free; free some space", output)
    assert "Traceback" not in output
    assert not (few / "data").exists()


def test_a_folder_of_results_that_cannot_be_written_is_told_before_anything_is_made(few):
    with unwritable(few / "results"):
        output = snakemake(few, "results/few/summary.csv", check=False)
    (line,) = (line for line in output.splitlines() if "rror" in line)
    assert line.startswith("CLEF: error: results: cannot be written (")
    assert "Traceback" not in output
    assert not (few / "data").exists()
    assert not list((few / "results").iterdir())


def test_crops_of_recordings_that_nobody_has_counted_are_reckoned_from_what_is_published(few):
    crop = "crop: {detector: lbp, size: 256, device: cpu}"
    (few / "params" / "few.yaml").write_text(f"dataset: {{adapter: bp4d}}\ndevice: cpu\n{crop}\n")
    output = snakemake(few, "results/few/summary.csv", check=False)
    (line,) = (line for line in output.splitlines() if line.startswith("  disk"))
    least = float(re.search(r"at least ([\d.]+) GB needed in data/interim/ and results/", line)[1])
    assert least > 146_847 * 20_000 / 1e9


def test_planning_a_run_imports_nothing_heavy(few):
    """As `python -X importtime` sees it, on a fresh clone without data."""
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "-n", "--cores", "2", "results/few/summary.csv"]
    ran = subprocess.run(command, cwd=few, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "clef.params.schema" in imported
    assert not {"torch", "open_clip", "cv2", "mlflow", "dvc", "matplotlib", "sklearn"} & imported


def test_deleted_stage_1_weights_of_a_finished_run_make_nothing_stale(few):
    (few / "params" / "few.yaml").write_text(
        "dataset: {adapter: demo, name: few}\ndevice: cpu\nseeds: [0]\nrender: {}\ncrop: {detector: lbp}\n"
        "folds: {number: 2}\nmodel: {name: clef-tiny}\n"
    )
    target = "results/few/summary.csv"
    for line in snakemake(few, "-n", target, "--detailed-summary").splitlines():
        name = line.split("\t")[0]
        if name.startswith(("data/", "results/")):
            (few / name).parent.mkdir(parents=True, exist_ok=True)
            (few / name).write_text("made")
    snakemake(few, "--touch", "--forceall", target)
    (few / "results/few/seed0/fold0/pretrain.safetensors").unlink()
    assert "Nothing to be done" in snakemake(few, "-n", target)


def test_a_mistyped_run_is_one_line_with_the_one_that_may_be_meant(few):
    for file in ("summary.csv", "plots/f1.png"):
        output = snakemake(few, "-n", f"results/fwe/{file}", check=False)
        assert "CLEF: error: results/fwe: no run fwe in params/; did you mean few?" in output
        assert "Traceback" not in output
        assert "MissingRule" not in output
    assert "summarize" in snakemake(few, "-n", "results/few/summary.csv")
    (few / "results/fwe").mkdir(parents=True)
    (few / "results/fwe/summary.csv").touch()
    output = snakemake(few, "-n", "results/fwe/summary.csv", check=False)
    assert "CLEF: error: results/fwe: its params file is gone; restore it, or look at it by `clef show fwe`" in output
