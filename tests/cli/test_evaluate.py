import json
import subprocess
import sys
from pathlib import Path

import pytest

from clef.evaluation.run.summary import summarize, write_summary
from clef.params.schema import EvaluateParams
from clef.training.metrics_file import MetricsFile
from tests.comparison.conftest import action_unit_tables, expression_tables, finish

__all__ = ["action_unit_tables", "expression_tables", "finish"]

ROOT = Path(__file__).parents[2]


def clef(folder: Path, *arguments: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "clef", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "MPLCONFIGDIR": str(folder / "matplotlib")},
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def run(finish, tmp_path):
    """The folder of a run with its metrics only, and its params file."""
    folder = finish("mine")
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "mine.yaml").write_text("dataset: {adapter: demo}\ntracking: {mlflow: false}\n")
    for name in ("summary.csv", "summary.json"):
        (folder / name).unlink()
    return folder


def make(run: Path) -> dict[str, bytes]:
    metrics = [f"results/mine/seed0/fold{fold}/metrics.json" for fold in (0, 1)]
    clef(run.parents[1], "summarize", "mine", *metrics, "--out", "results/mine/summary.csv")
    files = [*run.glob("summary.*"), *run.glob("plots/*")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def test_the_same_metrics_give_the_same_summary_and_plots(run):
    first = make(run)
    assert set(first) == {"summary.csv", "summary.json", *(f"plots/f1.{suffix}" for suffix in ("csv", "svg", "png"))}
    for name in first:
        (run / name).unlink()
    assert make(run) == first


def test_plots_change_nothing_in_the_summary(run, tmp_path):
    drawn = make(run)
    metrics = [json.loads((run / "seed0" / f"fold{fold}" / "metrics.json").read_text()) for fold in (0, 1)]
    write_summary(tmp_path / "plain", *summarize(metrics, "mine", EvaluateParams().bootstrap))
    assert drawn["summary.csv"] == (tmp_path / "plain" / "summary.csv").read_bytes()
    assert drawn["summary.json"] == (tmp_path / "plain" / "summary.json").read_bytes()


def test_training_curves_are_drawn_where_their_files_are(run):
    MetricsFile(run / "seed0" / "fold1" / "finetune.metrics.jsonl").append(1, {"train/loss": 1.0})
    assert "plots/training.svg" in make(run)
