"""What a raw copy without DVC pointers makes stale when it changes after a run. Dry runs, empty files for data."""

import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_checkout, mark_as_made, only_run, planned, snakemake

TARGET = "results/small/summary.csv"
SUBJECTS = ("F001", "F002", "M001")
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


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = copy_checkout(tmp_path_factory.mktemp("made"))
    only_run(folder, "small", RUN)
    for subject in SUBJECTS:
        for task in range(1, 9):
            put(folder, *(f"Sequences/{subject}/T{task}/{image:04d}.jpg" for image in range(3)))
            put(folder, f"AUCoding/AU_OCC/{subject}_T{task}.csv")
    shutil.rmtree(folder / "data/raw/small/Sequences/F002/T8")
    (folder / "data/raw/small/AUCoding/AU_OCC/F002_T8.csv").unlink()
    # `ingest` rejects the empty label files, but Snakemake has recorded the digests of the copy by then.
    snakemake(folder, TARGET, check=False)
    mark_as_made(folder, TARGET)
    return folder


@pytest.fixture
def finished(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "finished"))


def stale_with_shards(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Jobs by rule, and the shards that would be cropped."""
    shown = snakemake(folder, "-n", "-p", TARGET)
    return planned(shown), re.findall(r"--shard (\w+)", shown)


def test_the_same_copy_or_none_makes_nothing_stale(finished):
    for path in (finished / "data/raw/small").rglob("*.*"):
        path.touch()
    put(finished, "Sequences/F001/T1/Thumbs.db", "Sequences/F001/T1/.DS_Store")
    assert stale_with_shards(finished) == ({}, [])
    shutil.rmtree(finished / "data/raw/small/Sequences/F001")
    assert stale_with_shards(finished) == ({}, [])
    shutil.rmtree(finished / "data/raw/small")
    assert stale_with_shards(finished) == ({}, [])


@pytest.mark.parametrize(
    ("name", "shards"),
    [
        ("Sequences/F002/T8/0000.jpg", ["F002"]),
        ("Sequences/F002/T7/0003.jpg", ["F002"]),
        ("AUCoding/AU_OCC/F001_T1.csv", []),
        ("AUCoding/AU_OCC/F002_T8.csv", []),
    ],
)
def test_an_added_image_makes_only_its_shard_stale_and_labels_none(finished, name, shards):
    put(finished, name, content="0,1\n")
    crops = {"crop": len(shards)} if shards else {}
    assert stale_with_shards(finished) == (AFTER_CROPS | {"ingest": 1} | crops, shards)


def test_an_option_that_changes_what_is_read_makes_every_shard_stale(finished):
    params = finished / "params" / "small.yaml"
    params.write_text(RUN.replace("options: {", "options: {first_image: 0, "))
    jobs, shards = stale_with_shards(finished)
    assert (jobs, sorted(shards)) == (AFTER_CROPS | {"ingest": 1, "crop": 3}, sorted(SUBJECTS))


def test_with_keep_going_nothing_is_cropped_of_a_broken_copy(finished):
    put(finished, "Sequences/F002/T8/0000.jpg")
    (finished / "data/interim/small/sequences.parquet").unlink()
    output = snakemake(finished, TARGET, "--keep-going", check=False)
    assert "not usable: " in output
    assert "rule crop" not in output
    (shard,) = (finished / "data/interim/small").rglob("F002.arrow")
    assert shard.read_text() == "made"


IMAGES = """
dataset: {}
device: cpu
seeds: [0]
crop: {{detector: none}}
folds: {{protocol: official, number: 1}}
pretrain: null
labels: {{kind: expressions, expressions: [happiness, neutral]}}
model: {{name: clef-tiny, image_size: 64}}
"""


def test_shards_of_images_without_subjects_depend_on_the_whole_folder(checkout):
    only_run(checkout, "small", IMAGES.format("{adapter: rafdb, name: small, options: {blocks: 2}}"))
    put(checkout, "basic/EmoLabel/list_patition_label.txt", content="train_00001.jpg 4\n")
    put(checkout, "basic/Image/aligned/train_00001_aligned.jpg")
    mark_as_made(checkout, TARGET)
    put(checkout, "basic/Image/aligned/train_00002_aligned.jpg")
    assert stale_with_shards(checkout)[0]["crop"] == 2


def test_in_a_folder_of_images_a_label_makes_no_shard_stale_and_an_image_its_own(checkout):
    own = IMAGES.format("{adapter: folder, name: small, options: {blocks: 2, test_share: 0.5}}")
    only_run(checkout, "small", own)
    labels = "path,expression\n" + "".join(f"{name}.jpg,neutral\n" for name in "abcdef")
    put(checkout, *(f"{name}.jpg" for name in "abcdefg"))
    put(checkout, "labels.csv", content=labels)
    mark_as_made(checkout, TARGET)
    assert stale_with_shards(checkout) == ({}, [])
    put(checkout, "labels.csv", content=labels.replace("neutral", "happiness", 1))
    after = {"manifest": 1, "finetune": 1, "evaluate": 1, "summarize": 1, "ingest": 1}
    assert stale_with_shards(checkout) == (after, [])
    put(checkout, "labels.csv", content=f"{labels}g.jpg,neutral\n")
    assert stale_with_shards(checkout)[0] == after | {"crop": 1}
    (checkout / "params/small.yaml").write_text(own.replace("test_share: 0.5", "test_share: 0.4"))
    put(checkout, "labels.csv", content=labels)
    assert stale_with_shards(checkout) == (after, [])
