"""A copy without pointers that is completed, or leaves the disk, after a run. Dry runs, empty files for data."""

import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_checkout, only_run, snakemake

TARGET = "results/small/summary.csv"
PEOPLE = ("F001", "F002", "M001")
RUN = """
dataset: {adapter: bp4d, name: small, options: {subjects: [F001, F002, M001]}}
device: cpu
crop: {detector: none}
folds: {number: 3}
model: {name: clef-tiny, image_size: 64}
pretrain: null
"""
AFTER_CROPS = {"manifest": 1, "finetune": 9, "evaluate": 9, "summarize": 1}


def put(folder: Path, *names: str, content: str = "") -> None:
    for name in names:
        path = folder / "data/raw/small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def remember(folder: Path) -> None:
    """As Snakemake does when it starts jobs: it lists the copy; and then all is made and recorded as such."""
    for line in snakemake(folder, "-n", TARGET, "--detailed-summary").splitlines():
        name = line.split("\t")[0]
        if name.startswith(("data/", "results/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("made")
    snakemake(folder, "--touch", "--forceall", TARGET)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("made"))
    only_run(folder, "small", RUN)
    for subject in PEOPLE:
        for task in range(1, 9):
            put(folder, *(f"Sequences/{subject}/T{task}/{image:04d}.jpg" for image in range(3)))
            put(folder, f"AUCoding/AU_OCC/{subject}_T{task}.csv")
    shutil.rmtree(folder / "data/raw/small/Sequences/F002/T8")
    (folder / "data/raw/small/AUCoding/AU_OCC/F002_T8.csv").unlink()
    # The check finds the label files empty and stops the run, which has listed the copy by then.
    snakemake(folder, TARGET, check=False)
    remember(folder)
    return folder


@pytest.fixture
def finished(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "finished"))


def planned(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Jobs by rule, and the shards that would be cropped."""
    shown = snakemake(folder, "-n", "-p", TARGET)
    if "Nothing to be done" in shown:
        return {}, []
    table = shown.split("Job stats:")[1].split("\n\n")[0]
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    del jobs["total"]
    return jobs, re.findall(r"--shard (\w+)", shown)


def test_the_same_copy_makes_nothing_stale(finished):
    for path in (finished / "data/raw/small").rglob("*.*"):
        path.touch()
    put(finished, "Sequences/F001/T1/Thumbs.db", "Sequences/F001/T1/.DS_Store")
    assert planned(finished) == ({}, [])


@pytest.mark.parametrize("name", ["Sequences/F002/T8/0000.jpg", "Sequences/F002/T7/0003.jpg"])
def test_what_is_added_makes_its_shard_stale_and_no_other(finished, name):
    put(finished, name)
    assert planned(finished) == (AFTER_CROPS | {"ingest": 1, "crop": 1}, ["F002"])


def test_labels_that_are_added_make_no_shard_stale(finished):
    put(finished, "AUCoding/AU_OCC/F001_T1.csv", content="0,1\n")
    assert planned(finished) == (AFTER_CROPS | {"ingest": 1}, [])


def test_labels_that_are_corrected_in_place_make_no_shard_stale(finished):
    put(finished, "AUCoding/AU_OCC/F001_T1.csv", content="0,1\n")
    remember(finished)
    assert planned(finished) == ({}, [])
    put(finished, "AUCoding/AU_OCC/F001_T1.csv", content="0,0\n")
    assert planned(finished) == (AFTER_CROPS | {"ingest": 1}, [])


def test_another_numbering_of_images_makes_every_shard_stale(finished):
    params = finished / "params" / "small.yaml"
    params.write_text(RUN.replace("options: {", "options: {first_image: 0, "))
    jobs, shards = planned(finished)
    assert (jobs, sorted(shards)) == (AFTER_CROPS | {"ingest": 1, "crop": 3}, sorted(PEOPLE))


def test_labels_that_are_added_for_a_recording_that_is_not_there_make_no_shard_stale(finished):
    put(finished, "AUCoding/AU_OCC/F002_T8.csv")
    assert planned(finished) == (AFTER_CROPS | {"ingest": 1}, [])


def test_nothing_is_cropped_of_a_broken_copy_though_jobs_go_on_after_a_failure(finished):
    put(finished, "Sequences/F002/T8/0000.jpg")
    (finished / "data/interim/small/sequences.parquet").unlink()
    said = snakemake(finished, TARGET, "--keep-going", check=False)
    assert "not usable: " in said
    assert "rule crop" not in said
    (shard,) = (finished / "data/interim/small").rglob("F002.arrow")
    assert shard.read_text() == "made"


def test_raw_data_may_leave_the_disk(finished):
    shutil.rmtree(finished / "data/raw/small/Sequences/F001")
    assert planned(finished) == ({}, [])
    shutil.rmtree(finished / "data/raw/small")
    assert planned(finished) == ({}, [])


def test_images_in_the_wild_are_one_listing(tmp_path):
    folder = copy_checkout(tmp_path)
    only_run(
        folder,
        "small",
        "dataset: {adapter: rafdb, name: small, options: {blocks: 2}}\ndevice: cpu\nseeds: [0]\n"
        "crop: {detector: none}\nfolds: {protocol: official, number: 1}\npretrain: null\n"
        "labels: {kind: expressions, expressions: [happiness, neutral]}\nmodel: {name: clef-tiny, image_size: 64}\n",
    )
    put(folder, "basic/EmoLabel/list_patition_label.txt", content="train_00001.jpg 4\n")
    put(folder, "basic/Image/aligned/train_00001_aligned.jpg")
    remember(folder)
    assert planned(folder) == ({}, [])
    put(folder, "basic/Image/aligned/train_00002_aligned.jpg")
    assert planned(folder)[0]["crop"] == 2


OWN = """
dataset: {adapter: folder, name: small, options: {blocks: 2, test_share: 0.5}}
device: cpu
seeds: [0]
crop: {detector: none}
folds: {protocol: official, number: 1}
pretrain: null
labels: {kind: expressions, expressions: [happiness, neutral]}
model: {name: clef-tiny, image_size: 64}
"""


def test_a_label_makes_no_shard_of_images_without_subjects_stale_and_an_image_its_own(tmp_path):
    folder = copy_checkout(tmp_path)
    only_run(folder, "small", OWN)
    rows = [f"{name}.jpg,neutral\n" for name in "abcdef"]
    put(folder, *(f"{name}.jpg" for name in "abcdefg"))
    put(folder, "labels.csv", content="path,expression\n" + "".join(rows))
    remember(folder)
    assert planned(folder) == ({}, [])
    put(folder, "labels.csv", content="path,expression\n" + "".join(rows).replace("neutral", "happiness", 1))
    after = {"manifest": 1, "finetune": 1, "evaluate": 1, "summarize": 1, "ingest": 1}
    assert planned(folder) == (after, [])
    put(folder, "labels.csv", content="path,expression\n" + "".join(rows) + "g.jpg,neutral\n")
    assert planned(folder)[0] == after | {"crop": 1}
    (folder / "params/small.yaml").write_text(OWN.replace("test_share: 0.5", "test_share: 0.4"))
    put(folder, "labels.csv", content="path,expression\n" + "".join(rows))
    assert planned(folder) == (after, [])
