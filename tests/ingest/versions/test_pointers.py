import logging
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.ingest.versions.pointers import check_fetched, existing_pointers, pointer_names, read_pointer, warn_of_changes
from clef.params.schema import Params

F001 = """outs:
- md5: e9bdff723e812ef6f92a95de3600d55d.dir
  size: 5
  nfiles: 2
  hash: md5
  path: videos/F001
"""
LABELS = """outs:
- md5: 3328c737b17825911b62af494edd71f4.dir
  size: 3
  nfiles: 1
  hash: md5
  path: AUCoding
- md5: 10534a645020269e079dec7a6dd76e38
  size: 4
  hash: md5
  path: render.json
"""


def dataset(**render):
    values = {"dataset": {"adapter": "demo"}, "render": {"subjects": 2, "activities": 2} | render}
    return open_dataset(Params.model_validate(values | {"folds": {"number": 2}}))


@pytest.fixture
def root(tmp_path) -> Path:
    for name, text in {
        "F001.dvc": F001,
        "labels.dvc": LABELS,
        "videos/F001/T1.mp4": "ab",
        "videos/F001/T2.mp4": "cde",
        "AUCoding/AU_OCC/F001_T1.csv": "xyz",
        "render.json": "four",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def warnings(root, caplog) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="clef.ingest.versions.pointers"):
        warn_of_changes(dataset(), root)
    return caplog.messages


def test_names_follow_from_the_shards_without_any_data():
    assert pointer_names(dataset()) == ["F001", "M001", "labels"]


def test_only_pointers_that_are_there_count(root, tmp_path):
    assert existing_pointers(dataset(), root) == [root / "F001.dvc", root / "labels.dvc"]
    assert existing_pointers(dataset(), tmp_path / "nowhere") == []


def test_a_pointer_may_stand_for_files_and_folders(root):
    parts = [(part.path, part.size, part.files) for part in read_pointer(root / "labels.dvc")]
    assert parts == [(root / "AUCoding", 3, 1), (root / "render.json", 4, 1)]


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\nouts:\n", "outs: 3\n", "outs:\n- path: x\n"])
def test_a_broken_pointer_is_named(root, text):
    (root / "F001.dvc").write_text(text)
    with pytest.raises(ClefError, match=r"F001\.dvc: no pointer of DVC's .* restore it with `git checkout"):
        read_pointer(root / "F001.dvc")


def test_data_that_was_not_fetched_is_named_with_the_command_that_fetches_it(root):
    pointers = existing_pointers(dataset(), root)
    check_fetched(pointers, root)
    (root / "render.json").unlink()
    with pytest.raises(ClefError, match=r"not here, though versioned: labels; run `dvc pull \S+/labels\.dvc`$"):
        check_fetched(pointers, root)


def test_many_parts_are_fetched_by_one_short_command(tmp_path):
    pointers = [tmp_path / f"F{number:03d}.dvc" for number in range(20)]
    for pointer in pointers:
        pointer.write_text(F001)
    with pytest.raises(ClefError, match=r"F000, .*, F007 and 12 more; run `dvc pull --recursive \S+`$"):
        check_fetched(pointers, tmp_path)


def test_files_as_recorded_give_no_warning_but_a_shard_without_pointer_does(root, caplog):
    (only,) = warnings(root, caplog)
    assert "no pointer for M001: run `clef version-data demo`" in only
    (root / "M001.dvc").write_text("outs: []\n")
    assert warnings(root, caplog) == []


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("videos/F001/T2.mp4", "cdef", "2 files and 6 bytes, but F001.dvc records 2 files and 5"),
        ("videos/F001/T3.mp4", "", "3 files and 5 bytes, but F001.dvc records 2 files and 5"),
        ("videos/F001/deep/er/T3.mp4", "x", "3 files and 6 bytes, but F001.dvc records 2 files and 5"),
        ("render.json", "three", "1 file and 5 bytes, but labels.dvc records 1 file and 4"),
    ],
)
def test_a_change_of_size_or_number_is_told_with_both_ways_out(root, caplog, path, text, found):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    told = [message for message in warnings(root, caplog) if found in message]
    assert len(told) == 1
    assert "`clef version-data demo`" in told[0]
    assert "`dvc checkout " in told[0]


def test_a_data_set_that_is_not_versioned_is_left_in_peace(root, caplog):
    (root / "F001.dvc").unlink()
    (root / "labels.dvc").unlink()
    assert warnings(root, caplog) == []
