"""DVC pointers in the rules: what a version, a change and a checkout make stale. Dry runs, no data, no DVC."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_checkout, mark_as_made, planned, snakemake, stale

TARGET = "results/demo-short/summary.csv"
SUBJECTS = ("F001", "F002", "F003", "M001", "M002", "M003")
AFTER_CROPS = {"manifest": 1, "pretrain": 3, "finetune": 3, "evaluate": 3, "summarize": 1}
POINTER = "outs:\n- md5: {}\n  size: 1\n  hash: md5\n  path: {}\n"


def write_pointers(folder: Path, run: str = "demo-short", recordings: Sequence[str] = SUBJECTS) -> None:
    raw = folder / "data" / "raw" / run
    raw.mkdir(parents=True, exist_ok=True)
    for name in (*recordings, "labels"):
        (raw / f"{name}.dvc").write_text(POINTER.format("0" * 32, f"videos/{name}"))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("made"))
    write_pointers(folder)
    mark_as_made(folder, TARGET)
    return folder


@pytest.fixture
def versioned(made, tmp_path) -> Path:
    """A finished run over a versioned data set."""
    return Path(shutil.copytree(made, tmp_path / "versioned"))


@pytest.mark.parametrize(("run", "recordings", "shards"), [("demo-short", SUBJECTS, 6), ("demo-expr", ["images"], 4)])
def test_a_versioned_demo_is_not_rendered(checkout, run, recordings, shards):
    write_pointers(checkout, run, recordings)
    jobs = stale(checkout, f"results/{run}/summary.csv")
    assert jobs["crop"] == shards
    assert "render_demo" not in jobs


def test_a_checkout_of_the_same_version_makes_nothing_stale(versioned):
    write_pointers(versioned)
    assert stale(versioned, TARGET) == {}


def test_raw_files_that_differ_from_their_pointer_are_reported_although_nothing_is_stale(versioned):
    raw = versioned / "data" / "raw" / "demo-short" / "videos"
    raw.mkdir()
    (raw / "F001").write_text("1")
    (raw / "F002").write_text("22")
    output = snakemake(versioned, TARGET)
    assert "Nothing to be done" in output
    (line,) = (line for line in output.splitlines() if line.startswith("CLEF: warning: "))
    assert "videos/F002: 1 file and 2 bytes, but F002.dvc records 1 file and 1" in line
    assert "`clef version-data demo-short`" in line
    assert "`dvc checkout data/raw/demo-short/F002.dvc`" in line


def test_very_many_files_are_not_compared_at_every_start(versioned):
    raw = versioned / "data" / "raw" / "demo-short"
    (raw / "videos").mkdir()
    (raw / "videos" / "F002").write_text("22")
    many = POINTER.format("0" * 32, "videos/F001") + "  nfiles: 400000\n"
    (raw / "F001.dvc").write_text(many)
    assert "CLEF: warning: " not in snakemake(versioned, "-n", TARGET)


@pytest.mark.parametrize(("name", "crops", "shards"), [("F002", {"crop": 1}, ["F002"]), ("labels", {}, [])])
def test_a_changed_subject_makes_only_its_shard_stale_and_labels_none(versioned, name, crops, shards):
    (versioned / f"data/raw/demo-short/{name}.dvc").write_text(POINTER.format("1" * 32, f"videos/{name}"))
    shown = snakemake(versioned, "-n", "-p", TARGET)
    assert planned(shown) == AFTER_CROPS | {"ingest": 1} | crops
    assert re.findall(r"--shard (\w+)", shown) == shards


def test_changes_of_the_inventory_make_no_shard_stale(versioned):
    adapter = versioned / "clef" / "datasets" / "demo.py"
    adapter.write_text(adapter.read_text() + "\n# a comment\n")
    params = versioned / "params" / "demo-short.yaml"
    params.write_text(params.read_text() + "ingest: {max_bad: 0.5}\n")
    assert stale(versioned, TARGET) == AFTER_CROPS | {"ingest": 1}


def test_another_number_of_frames_past_the_end_makes_the_manifest_stale(versioned):
    """Also after a run that was interrupted when the table of recordings, the same with it, was made again."""
    params = versioned / "params" / "demo-short.yaml"
    params.write_text(params.read_text() + "ingest: {frames_past_end: 1}\n")
    snakemake(versioned, "--touch", "data/interim/demo-short/sequences.parquet")
    assert stale(versioned, TARGET) == AFTER_CROPS
