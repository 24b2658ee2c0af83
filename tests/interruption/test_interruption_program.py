"""The program that interrupts runs sees the differences that it looks for."""

import shutil

from clef.runtime.files import write_text
from tests.interruption.__main__ import feasible, repeat_until_hit
from tests.interruption.comparison import REPORT, file_problems
from tests.interruption.trial import Trial
from tests.slurm.cluster import write_program

IDENTICAL = {
    "data/interim/demo-short/1ab4cd25/F001.arrow",
    "data/processed/demo-short/1ab4cd25/manifest.parquet",
    "results/demo-short/summary.csv",
    "results/demo-short/seed0/fold0/pretrain.safetensors",
}
IDENTICAL |= {"results/demo-short/tables/summary.tex"}
MAY_DIFFER = {"results/demo-short/seed0/fold0/finetune.epochs.parquet"}
MAY_MISS = {"data/interim/demo-short/1ab4cd25/F001.log", "results/demo-short/seed0/fold0/pretrain.system.jsonl"}
FILES = sorted(IDENTICAL | MAY_DIFFER | MAY_MISS)


def test_missing_changed_and_temporary_files_are_found(tmp_path):
    runs = (tmp_path / "interrupted", tmp_path / "undisturbed")
    for name in FILES:
        path = runs[1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    shutil.copytree(runs[1], runs[0])
    assert file_problems(*runs) == []
    for name in FILES:
        (runs[0] / name).write_text("other")
        assert file_problems(*runs) == ([f"{name} differs"] if name in IDENTICAL else [])
        (runs[0] / name).unlink()
        assert file_problems(*runs) == ([] if name in MAY_MISS else [f"{name} is missing"])
        shutil.copy(runs[1] / name, runs[0] / name)
    for name in ("pretrain.work", "pretrain.lease", "pretrain.lease|vm|1|2", ".F001.arrow.x.partial"):
        path = runs[0] / "results/demo-short/seed0/fold0" / name
        path.touch()
        assert file_problems(*runs) == [f"{path.relative_to(runs[0])} was not removed"]
        path.unlink()


def test_a_report_may_differ_in_its_last_section_only(tmp_path):
    runs = (tmp_path / "interrupted", tmp_path / "undisturbed")
    for run, times in zip(runs, ("2 s", "3 s"), strict=True):
        write_text(run / REPORT, f'F1 61.0<section id="repeat">{times}')
        for name in IDENTICAL:
            write_text(run / name, name)
    assert file_problems(*runs) == []
    write_text(runs[0] / REPORT, 'F1 61.1<section id="repeat">2 s')
    assert file_problems(*runs) == [f"{REPORT} differs before its last section"]


def test_full_disk_is_skipped_without_the_right_to_mount(monkeypatch, tmp_path, capsys):
    write_program(tmp_path / "mount", "exit 1")
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
