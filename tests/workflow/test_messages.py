"""Messages at the start and end of the workflow, and checks before its first job. Real jobs."""

import re

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


def test_a_run_prints_whole_lines_from_start_to_end_and_nothing_when_there_is_nothing_to_do(few):
    assert "CLEF" not in snakemake(few, "-n", LISTED)
    (few / "params" / "broken.yaml").write_text("finetun: {}\n")
    output = snakemake(few, LISTED, "--quiet", "rules", "host")
    lines = output.splitlines()
    (warning,) = [line for line in lines if "warning" in line]
    assert re.match(r"CLEF: warning: params/broken\.yaml: .*; no requested run needs it$", warning)
    assert "CLEF: the requested files" in lines
    assert "render-demo few: 51 files in data/raw/few" in lines
    assert re.search(r"^ingest few: .*complete: all as expected", output, re.MULTILINE)
    assert re.search(r"^CLEF: done in .* Next:$", output, re.MULTILINE)
    assert "CLEF" not in snakemake(few, LISTED, "--touch", "--forceall")
    assert "CLEF" not in snakemake(few, LISTED)


def test_a_failed_job_is_reported_by_its_own_line_at_the_failure_and_at_the_end(few):
    snakemake(few, "data/raw/few/render.json")
    for path in (few / "data/raw/few/images").rglob("*.jpg"):
        path.unlink()
    output = snakemake(few, LISTED, "--quiet", "rules", "host", check=False)
    reported = "ingest few: error: not usable: no recordings of few found"
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if "rror" in line)
    assert lines[first].startswith(reported)
    summary = lines.index("CLEF: 1 job failed. Fix the cause, then run the same command to resume.")
    assert lines[summary + 1].startswith(f"  {reported}")
    assert "(log: data/interim/few/ingest.log)" in lines[summary + 1]


def test_a_results_folder_that_cannot_be_written_is_reported_before_anything_runs(few):
    with unwritable(few / "results"):
        output = snakemake(few, "results/few/summary.csv", check=False)
    (line,) = (line for line in output.splitlines() if "rror" in line)
    assert line.startswith("CLEF: error: results: not writable (")
    assert "Traceback" not in output
    assert not (few / "data").exists()
