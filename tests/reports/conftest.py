"""Runs with all files that a report reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clef.comparison.finished_run import FinishedRun
from clef.evaluation.run.summary import summarize
from clef.params.schema import Params
from clef.plots.training_curves import read_training
from clef.reports.run_report import write_report
from clef.runtime.files import write_text
from clef.tracking.record import Record, RunDescription, record_path
from clef.training.metrics_file import MetricsFile
from tests.comparison.conftest import two_runs
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables
from tests.toy import toy_params

TAGS = {"git": "a" * 40, "git.dirty": "false", "host": "secret"}
TAGS |= {"device": "cuda (NVIDIA H200)", "version.torch": "2.15.0"}
SUBJECTS = ("F001", "F002", "F003", "M001", "M002")


@dataclass(frozen=True)
class Run:
    """Arguments of `write_report`."""

    folder: Path
    params: Params
    summary: dict[str, Any]
    fold_metrics: dict[Path, dict[str, Any]]
    stage1: str | None = None
    rendered: tuple[str, ...] = ("bp4d",)

    def write(self) -> str:
        """Write the report and return the page."""
        folds = [path.parent for path in self.fold_metrics]
        training = read_training(folds, self.stage1)
        write_report(self.folder, self.params, self.summary, self.fold_metrics, training, self.stage1, self.rendered)
        return (self.folder / "report.html").read_text(encoding="utf-8")

    def changed(self, **changes: Any) -> "Run":
        return replace(self, **changes)


@pytest.fixture
def make_run(tmp_path, monkeypatch) -> Callable[..., Run]:
    """Make a run in `tmp_path/results`, which becomes the current folder's."""
    monkeypatch.chdir(tmp_path)

    def make(kind: str = "action_units", seeds: int = 1, published: str | None = None, name: str = "mine") -> Run:
        fold_metrics = {}
        folder = tmp_path / "results" / name
        for seed in range(seeds):
            for fold, metrics in enumerate(fold_scores(kind, seed)):
                where = folder / f"seed{seed}" / f"fold{fold}"
                fold_metrics[where / "metrics.json"] = json.loads(json.dumps(metrics | {"seed": seed, "fold": fold}))
                write_training(where, seed)
        pooled = kind == "leave_one_out"
        summary = summarize(list(fold_metrics.values()), name, 50, published, pooled)[1]
        params = toy_params(labels={"kind": summary["kind"], "expressions": ["happiness", "sadness", "fear"]})
        return Run(folder, params, summary, fold_metrics, name)

    return make


@pytest.fixture
def runs() -> list[FinishedRun]:
    """Two runs that can be compared, with the row of the mean that their summaries have."""
    first, other = two_runs(0, seeds=(0, 1))
    for run, f1 in ((first, 0.4), (other, 0.5)):
        row = {"f1": f1, "ci_low": f1 - 0.1, "ci_high": f1 + 0.1, "f1_field": 0.6, "floor": 0.3}
        run.summary["rows"] = {"mean": row}
    return [first, other]


def fold_scores(kind: str, seed: int) -> list[dict[str, Any]]:
    if kind == "expressions":
        return [expression_tables(seed).score()]
    if kind == "leave_one_out":
        return [action_unit_tables(seed, (subject,), ("F009",)).score() for subject in SUBJECTS]
    return [action_unit_tables(seed, *subjects).score() for subjects in FOLDS]


def write_training(folder: Path, seed: int) -> None:
    """Sidecar, record and losses of both stages."""
    for stage in ("pretrain", "finetune"):
        weights = folder / f"{stage}.safetensors"
        sidecar = {"steps": 100, "manifest": "m" * 64, "package": "p" * 64, "fingerprint": {"size": 72, "eyes": [1, 2]}}
        if stage == "finetune":
            labels = {"kind": "action_units", "action_units": [1, 6, 12], "zero_shot": ["AU25"]}
            sidecar |= {"finetune": {"head": "text"}, "labels": labels}
            sidecar |= {"templates": {"name": "a photo of {}", "descriptions": ["{}", "{}!"]}}
            sidecar |= {"label_texts": [[f"name {i}", f"text <{i}>"] for i in range(3)]}
        write_text(weights.with_suffix(".json"), json.dumps(sidecar))
        times = {"started": 1000.0, "resumed": 1000.0, "ended": 1090.0 + seed}
        make_record(weights, **times)
        for step in range(1, 51):
            values = {"train/image_names": 3 / step, "train/names_descriptions": 1 / step, "train/loss": 4 / step}
            MetricsFile(weights.with_suffix(".metrics.jsonl")).append(step, values)


def make_record(weights: Path, tags: dict[str, str] = TAGS, **times: Any) -> None:
    run = RunDescription("toy", "mine", "k", "p", {}, tags)
    Record(run, None, "manifest.parquet", "m" * 64, status="finished", **times).write(record_path(weights))
