from pathlib import Path

import pytest

from clef.training.metrics_file import MetricsFile
from tests.comparison.conftest import finish

__all__ = ["finish"]

METRICS = [f"results/mine/seed0/fold{fold}/metrics.json" for fold in (0, 1)]
SUMMARIZE = ("summarize", "mine", *METRICS, "--out", "results/mine/summary.csv")


@pytest.fixture
def run(finish, tmp_path):
    """The folder of a run that has its metrics and no summary, and a params file."""
    folder = finish("mine")
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "mine.yaml").write_text("dataset: {adapter: demo}\ntracking: {mlflow: false}\n")
    for name in ("summary.csv", "summary.json"):
        (folder / name).unlink()
    return folder


def written(run: Path) -> dict[str, bytes]:
    files = [*run.glob("summary.*"), *run.glob("plots/*"), *run.glob("tables/*"), run / "report.html"]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def test_summarize_writes_the_same_summary_and_plots_each_time(run, clef_here, tmp_path):
    ran = clef_here(*SUMMARIZE, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Mean strict F1" in ran.stdout
    first = written(run)
    tables = {"plots/f1.csv", "plots/f1.svg", "plots/f1.png", "tables/summary.tex", "tables/summary.md"}
    tables |= {"tables/subjects.csv", "tables/activities.csv"}
    assert set(first) == {"summary.csv", "summary.json", "report.html", *tables}
    assert clef_here("show", "mine", folder=tmp_path).stdout == ran.stdout

    MetricsFile(run / "seed0" / "fold1" / "finetune.metrics.jsonl").append(1, {"train/loss": 1.0})
    assert clef_here(*SUMMARIZE, folder=tmp_path).returncode == 0
    again = written(run)
    assert "plots/training.svg" in again
    assert again["report.html"] != first.pop("report.html"), "it has the new losses"
    assert {name: again[name] for name in first} == first
    assert clef_here(*SUMMARIZE, folder=tmp_path).returncode == 0
    assert written(run) == again
