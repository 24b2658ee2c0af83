"""The check comes before anything long. Real Snakemake, real jobs."""

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


def test_nothing_is_cropped_from_a_broken_copy(checkout):
    only_run(checkout, "tiny", TINY)
    listed = snakemake(checkout, "-n", "results/tiny/summary.csv", "--detailed-summary")
    manifest = next(line.split("\t")[0] for line in listed.splitlines() if "manifest.parquet\t" in line)
    snakemake(checkout, "data/raw/tiny/render.json")
    labels, report = checkout / "data/raw/tiny/AUCoding/AU_OCC/F002_T1.csv", checkout / "data/interim/tiny/check.txt"
    whole = labels.read_text()
    labels.write_text("")
    output = snakemake(checkout, manifest, "--quiet", "rules", "host", check=False)
    assert "ingest tiny: error: not usable: AUCoding/AU_OCC/F002_T1.csv: no rows" in output
    assert "verdict: not usable" in (checkout / "data/interim/tiny/ingest.log").read_text()
    assert not list(checkout.rglob("*.arrow"))
    assert not report.exists()

    labels.write_text(whole)
    snakemake(checkout, manifest)
    assert "verdict: complete: all as expected" in report.read_text()
    report.unlink()
    assert "Nothing to be done" in snakemake(checkout, "-n", manifest)
