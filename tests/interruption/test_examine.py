"""That the examination of an interrupted run sees what it is for."""

import shutil

import pytest

from tests.interruption.examine import differences

FILES = {
    "data/interim/demo-short/1ab4cd25/F001.arrow",
    "data/interim/demo-short/1ab4cd25/F001.log",
    "data/processed/demo-short/1ab4cd25/manifest.parquet",
    "results/demo-short/summary.csv",
    "results/demo-short/seed0/fold0/pretrain.safetensors",
    "results/demo-short/seed0/fold0/finetune.epochs.parquet",
    "results/demo-short/seed0/fold0/pretrain.system.jsonl",
}
OF_NO_RESULT = {"data/interim/demo-short/1ab4cd25/F001.log", "results/demo-short/seed0/fold0/pretrain.system.jsonl"}
SAME_BYTES = {
    "data/interim/demo-short/1ab4cd25/F001.arrow",
    "data/processed/demo-short/1ab4cd25/manifest.parquet",
    "results/demo-short/summary.csv",
    "results/demo-short/seed0/fold0/pretrain.safetensors",
}


@pytest.fixture
def runs(tmp_path):
    """An interrupted run that ended well, and the undisturbed one."""
    for name in FILES:
        path = tmp_path / "undisturbed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    shutil.copytree(tmp_path / "undisturbed", tmp_path / "interrupted")
    return tmp_path / "interrupted", tmp_path / "undisturbed"


def test_a_run_that_is_the_same_has_no_differences(runs):
    assert differences(*runs) == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_told(runs, name):
    (runs[0] / name).unlink()
    assert differences(*runs) == ([] if name in OF_NO_RESULT else [f"{name} is missing"])


@pytest.mark.parametrize("name", sorted(FILES))
def test_other_bytes_are_told(runs, name):
    (runs[0] / name).write_text("other")
    assert differences(*runs) == ([f"{name} differs"] if name in SAME_BYTES else [])


@pytest.mark.parametrize("name", ["fold0/pretrain.work", "fold1/pretrain.lease", ".F001.arrow.x.partial"])
def test_what_is_left_half_written_is_told(runs, name):
    path = runs[0] / "results" / "demo-short" / "seed0" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert differences(*runs) == [f"results/demo-short/seed0/{name} is left"]
