"""The program that interrupts runs sees the differences that it looks for."""

import shutil

import pytest

from tests.interruption.__main__ import feasible, repeat_until_hit
from tests.interruption.comparison import file_problems
from tests.interruption.trial import Trial

IDENTICAL = {
    "data/interim/demo-short/1ab4cd25/F001.arrow",
    "data/processed/demo-short/1ab4cd25/manifest.parquet",
    "results/demo-short/summary.csv",
    "results/demo-short/seed0/fold0/pretrain.safetensors",
}
MAY_DIFFER = {"results/demo-short/seed0/fold0/finetune.epochs.parquet"}
MAY_MISS = {"data/interim/demo-short/1ab4cd25/F001.log", "results/demo-short/seed0/fold0/pretrain.system.jsonl"}
FILES = sorted(IDENTICAL | MAY_DIFFER | MAY_MISS)


@pytest.fixture
def runs(tmp_path):
    """A resumed run and the undisturbed one, without differences."""
    for name in FILES:
        path = tmp_path / "undisturbed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    shutil.copytree(tmp_path / "undisturbed", tmp_path / "interrupted")
    assert file_problems(tmp_path / "interrupted", tmp_path / "undisturbed") == []
    return tmp_path / "interrupted", tmp_path / "undisturbed"


@pytest.mark.parametrize("name", FILES)
def test_missing_and_changed_files_are_found(runs, name):
    (runs[0] / name).write_text("other")
    assert file_problems(*runs) == ([f"{name} differs"] if name in IDENTICAL else [])
    (runs[0] / name).unlink()
    assert file_problems(*runs) == ([] if name in MAY_MISS else [f"{name} is missing"])


@pytest.mark.parametrize("name", ["pretrain.work", "pretrain.lease", "pretrain.lease|vm|1|2", ".F001.arrow.x.partial"])
def test_temporary_files_are_found(runs, name):
    name = f"results/demo-short/seed0/fold0/{name}"
    (runs[0] / name).touch()
    assert file_problems(*runs) == [f"{name} was not removed"]


def test_full_disk_is_skipped_without_the_right_to_mount(monkeypatch, tmp_path, capsys):
    mount = tmp_path / "mount"
    mount.write_text("#!/bin/sh\nexit 1\n")
    mount.chmod(0o755)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert feasible(["power cut", "full disk", "ctrl-C"]) == ["power cut", "ctrl-C"]
    assert "full disk: skipped, only root may mount" in capsys.readouterr().out


def test_late_trials_are_repeated_and_errors_become_the_outcome():
    good = Trial("ctrl-C", 1, "crop", 1, 2, [])
    outcomes = iter([None, None, good])
    assert repeat_until_hit("ctrl-C", lambda: next(outcomes)) is good
    failed = repeat_until_hit("ctrl-C", lambda: 1 // 0)
    assert failed.problems == ["failed: ZeroDivisionError: integer division or modulo by zero"]
