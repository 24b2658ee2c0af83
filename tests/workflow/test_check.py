"""The check comes before anything long. Real Snakemake, real jobs."""

import pytest

from tests.workflow.conftest import only_run, snakemake

TINY = """
dataset: {adapter: demo, name: tiny}
device: cpu
render: {subjects: 3, activities: 2, size: 160, seconds: [0.6, 0.8]}
ingest: {max_bad: 0.2}  # the demo has a damaged video
crop: {detector: none, size: 40}
folds: {number: 3}
model: {name: clef-tiny, image_size: 32}
pretrain: null
"""
REPORT = "data/interim/tiny/check.txt"


@pytest.fixture
def tiny(checkout):
    only_run(checkout, "tiny", TINY)
    return checkout


def manifest(folder) -> str:
    listed = snakemake(folder, "-n", "results/tiny/summary.csv", "--detailed-summary")
    return next(line.split("\t")[0] for line in listed.splitlines() if "manifest.parquet\t" in line)


def test_nothing_is_cropped_from_a_broken_copy(tiny):
    target = manifest(tiny)
    snakemake(tiny, "data/raw/tiny/render.json")
    labels = tiny / "data/raw/tiny/AUCoding/AU_OCC/F002_T1.csv"
    whole = labels.read_text()
    labels.write_text("")
    output = snakemake(tiny, target, "--quiet", "rules", "host", check=False)
    assert "ingest tiny: error: not usable: AUCoding/AU_OCC/F002_T1.csv: no rows" in output
    assert "verdict: not usable" in (tiny / "data/interim/tiny/ingest.log").read_text()
    assert not list(tiny.rglob("*.arrow"))
    assert not (tiny / REPORT).exists()

    labels.write_text(whole)
    snakemake(tiny, target)
    assert "verdict: complete: all as expected" in (tiny / REPORT).read_text()
    (tiny / REPORT).unlink()
    assert "Nothing to be done" in snakemake(tiny, "-n", target)
