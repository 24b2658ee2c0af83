"""Digests of raw copies: which of them change with a file."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from clef.datasets.base import Dataset
from clef.ingest.versions import digests
from clef.ingest.versions.digests import RawDigests
from tests.datasets.opened import action_units, demo, expressions

LABELS = "AUCoding/AU_OCC/F001_T1.csv"
BP4D = action_units("bp4d", subjects=["F001", "M001"])
POINTER = "outs:\n- md5: {}\n  size: 1\n  hash: md5\n  path: {}\n"


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "raw"
    for subject in ("F001", "M001"):
        for task in range(1, 9):
            put(root, *(f"Sequences/{subject}/T{task}/{image:04d}.jpg" for image in range(3)))
            put(root, f"AUCoding/AU_OCC/{subject}_T{task}.csv", content="0,1\n")
    return root


def put(root: Path, *names: str, content: str = "") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def parts(dataset: Dataset, root: Path, memory: Path | None = None) -> dict[str, str]:
    found = RawDigests(dataset, root, memory or Path("/dev/null/unwritable"))
    return {name: found.shard(name) for name in dataset.shards()} | {"labels": found.labels, "whole": found.whole}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("Sequences/F001/T1/Thumbs.db", "", set()),
        ("Sequences/F001/T7/0003.jpg", "", {"F001", "whole"}),
        (LABELS, "0,1\n", set()),
        (LABELS, "0,0\n", {"labels", "whole"}),
        ("AUCoding/AU_OCC/F001_T9.csv", "", {"labels", "whole"}),
    ],
)
def test_a_file_changes_only_its_own_part(root, name, content, expected):
    before = parts(BP4D, root)
    for path in root.rglob("*.*"):
        os.utime(path, (0, 0))
    put(root, name, content=content)
    assert changed(before, parts(BP4D, root)) == expected


def test_label_files_are_read_again_only_if_one_was_changed_or_replaced(root, monkeypatch, tmp_path):
    memory = tmp_path / "interim" / "memory.json"
    before = parts(BP4D, root, memory)
    assert not memory.exists()
    read = []
    monkeypatch.setattr(digests, "file_hash", lambda path: read.append(path.name) or path.read_text())
    assert parts(BP4D, root, memory) == before
    assert read == []
    times = (root / LABELS).stat()
    put(root, "new.csv", content="0,0\n")
    (root / "new.csv").replace(root / LABELS)
    os.utime(root / LABELS, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changed(before, parts(BP4D, root, memory)) == {"labels", "whole"}
    assert len(read) == 16


def test_removed_files_keep_their_remembered_digests(root, tmp_path):
    memory = tmp_path / "memory.json"
    before = parts(BP4D, root)
    RawDigests(BP4D, root, memory).remember()
    shutil.rmtree(root / "Sequences" / "F001")
    assert changed(before, parts(BP4D, root, memory)) == set()
    shutil.rmtree(root)
    assert changed(before, parts(BP4D, root, memory)) == set()
    assert changed(before, parts(BP4D, root)) == set(before)


def test_labels_in_numpy_files_are_compared_by_content(tmp_path):
    """AffectNet has one .npy file per label, and a corrected one has the same size."""
    for split in ("train_set", "val_set"):
        put(tmp_path, f"{split}/images/1.jpg", f"{split}/annotations/1_lnd.npy")
        np.save(tmp_path / split / "annotations" / "1_exp.npy", np.int64(3))
    before = parts(expressions("affectnet"), tmp_path)
    np.save(tmp_path / "val_set" / "annotations" / "1_exp.npy", np.int64(5))
    assert changed(before, parts(expressions("affectnet"), tmp_path)) == {"labels", "whole"}


def test_a_label_table_of_any_name_is_compared_by_content(tmp_path):
    put(tmp_path, "codes.tsv", content="path,AU01\na.mp4,1\n")
    dataset = action_units("folder", subjects=["P01", "P02"], labels="codes.tsv")
    before = parts(dataset, tmp_path)
    put(tmp_path, "codes.tsv", content="path,AU01\na.mp4,0\n")
    assert "labels" in changed(before, parts(dataset, tmp_path))


def test_copy_whose_shards_are_only_known_from_tables_changes_as_a_whole(tmp_path):
    put(tmp_path, "basic/EmoLabel/list_patition_label.txt", content="train_00001.jpg 4\n")
    put(tmp_path, "basic/Image/aligned/train_00001_aligned.jpg")
    dataset = expressions("rafdb")
    before = parts(dataset, tmp_path)
    put(tmp_path, "basic/Image/aligned/train_00002_aligned.jpg")
    assert changed(before, parts(dataset, tmp_path)) == set(before)


def test_pointers_stand_for_the_files(root):
    for name in ("F001", "M001", "labels"):
        put(root, f"{name}.dvc", content=POINTER.format("0" * 32, name))
    before = parts(BP4D, root)
    put(root, "Sequences/F001/T7/0003.jpg")
    put(root, "F001.dvc", content=POINTER.format("0" * 32, "F001"))  # a checkout of the same version
    assert changed(before, parts(BP4D, root)) == set()
    put(root, "F001.dvc", content=POINTER.format("1" * 32, "F001"))
    assert changed(before, parts(BP4D, root)) == {"F001", "whole"}
    put(root, "labels.dvc", content=POINTER.format("1" * 32, "labels"))
    assert changed(before, parts(BP4D, root)) == {"F001", "labels", "whole"}


def test_rendered_set_depends_on_its_settings(tmp_path):
    def rendered(**render) -> dict[str, str]:
        memory = tmp_path / "memory.json"
        RawDigests(demo(**render), tmp_path, memory).remember()
        assert not memory.exists()
        return parts(demo(**render), tmp_path)

    before = rendered()
    put(tmp_path, "render.json", content=json.dumps({}))
    assert changed(before, rendered()) == set()
    assert changed(before, rendered(seed=7)) == set(before)
