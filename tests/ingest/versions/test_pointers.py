from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.ingest.versions.pointers import changes, check_fetched, existing_pointers, pointer_names, read_pointer
from tests.datasets.opened import demo

F001 = "outs:\n- {md5: e9bdff723e812ef6f92a95de3600d55d.dir, size: 5, nfiles: 2, hash: md5, path: videos/F001}\n"
LABELS = """outs:
- {md5: 3328c737b17825911b62af494edd71f4.dir, size: 3, nfiles: 1, hash: md5, path: AUCoding}
- {md5: 10534a645020269e079dec7a6dd76e38, size: 4, hash: md5, path: render.json}
"""
DATASET = demo()


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


def test_names_need_no_data_and_only_existing_pointers_count(root, tmp_path):
    assert pointer_names(DATASET) == ["F001", "M001", "labels"]
    assert existing_pointers(DATASET, root) == [root / "F001.dvc", root / "labels.dvc"]
    assert existing_pointers(DATASET, tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\nouts:\n", "outs: 3\n", "outs:\n- path: x\n"])
def test_broken_pointer_is_named(root, text):
    (root / "F001.dvc").write_text(text)
    with pytest.raises(ClefError, match=r"F001\.dvc: not a DVC pointer .* restore it with `git checkout"):
        read_pointer(root / "F001.dvc")


def test_data_that_was_not_pulled_is_named_with_the_command(root, tmp_path):
    pointers = existing_pointers(DATASET, root)
    check_fetched(pointers, root)
    (root / "render.json").unlink()
    with pytest.raises(ClefError, match=r"versioned, but not pulled: labels; run `dvc pull \S+/labels\.dvc`$"):
        check_fetched(pointers, root)
    many = [tmp_path / "many" / f"F{number:03d}.dvc" for number in range(20)]
    many[0].parent.mkdir()
    for pointer in many:
        pointer.write_text(F001)
    with pytest.raises(ClefError, match=r"F000, .*, F007 and 12 more; run `dvc pull --recursive \S+`$"):
        check_fetched(many, tmp_path)


def test_linked_folder_of_another_checkout_names_commands_for_that_checkout(root, tmp_path_factory):
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / ".dvc").mkdir()
    target = root.rename(checkout / "the raw")
    root.symlink_to(target)
    (root / "M001.dvc").write_text("outs: []\n")
    (target / "render.json").write_text("three")
    (message,) = changes(DATASET, root)
    assert f"`dvc --cd '{target}' checkout labels.dvc`" in message
    (target / "render.json").unlink()
    with pytest.raises(ClefError, match=rf"not pulled: labels; run `dvc --cd '{target}' pull labels\.dvc`$"):
        check_fetched(existing_pointers(DATASET, root), root)


def test_versioned_folder_that_was_moved_out_of_the_checkout_and_linked_is_a_change(root, tmp_path_factory):
    (root / "M001.dvc").write_text("outs: []\n")
    assert changes(DATASET, root) == []
    root.symlink_to(root.rename(tmp_path_factory.mktemp("disk") / "raw"))
    (message,) = changes(DATASET, root)
    assert "a link to versioned files in no checkout, " in message
    assert f"move them back, or mount them at {root}" in message


def test_unchanged_files_are_no_change_but_a_shard_without_pointer_is(root):
    (only,) = changes(DATASET, root)
    assert "no pointer for M001: run `clef version-data demo`" in only
    (root / "M001.dvc").write_text("outs: []\n")
    assert changes(DATASET, root) == []
    for pointer in root.glob("*.dvc"):
        pointer.unlink()
    assert changes(DATASET, root) == []


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("videos/F001/T2.mp4", "cdef", "2 files and 6 bytes, but F001.dvc records 2 files and 5"),
        ("videos/F001/deep/er/T3.mp4", "x", "3 files and 6 bytes, but F001.dvc records 2 files and 5"),
        ("render.json", "three", "1 file and 5 bytes, but labels.dvc records 1 file and 4"),
    ],
)
def test_change_of_size_or_number_is_named_with_both_remedies(root, path, text, found):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    (message,) = [change for change in changes(DATASET, root) if found in change]
    assert "`clef version-data demo`" in message
    assert "`dvc checkout " in message
