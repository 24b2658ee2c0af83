"""Finished runs, from random counts and as `clef summarize` writes them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clef.comparison.finished_run import FinishedRun
from clef.evaluation.fold.bootstrap_units import BootstrapUnits
from clef.evaluation.fold.json_data import write_json
from clef.evaluation.run.summary import summarize, write_summary
from tests.evaluation.conftest import FOLDS, action_unit_tables, expression_tables


def random_counts(rng: np.random.Generator, present: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Counts (subjects, labels, 4) of a model with this recall for each subject and label."""
    frames, tp = 60, rng.binomial(present, recall)
    fp = rng.binomial(frames - present, 0.5 * (1 - recall))
    return np.stack([tp, fp, present - tp, frames - present - fp], axis=-1)


def make_run(name: str, counts: dict[int, dict[int, np.ndarray]], labels: list[str] | None = None) -> FinishedRun:
    """A run with these counts (subjects, labels, 4) by seed and fold."""
    first = next(iter(counts.values()))
    labels = labels or [f"AU{i:02d}" for i in range(1, next(iter(first.values())).shape[1] + 1)]
    grid: dict = {}
    for seed, folds in counts.items():
        for fold, values in folds.items():
            subjects = tuple(f"F{fold}{i:02d}" for i in range(len(values)))
            units = BootstrapUnits("subjects", subjects, np.ones(len(values), dtype=np.int64), values)
            metrics = {"resampled": "subjects", "counts": units.to_records(), "subjects": list(subjects)}
            grid.setdefault(seed, {})[fold] = metrics
    summary = {"dataset": "bp4d", "kind": "action_units", "resampled": "subjects", "labels": labels}
    summary |= {"seeds": list(counts), "threshold": 0.5}
    summary["folds"] = [{"fold": fold, "subjects": grid[min(grid)][fold]["subjects"]} for fold in first]
    return FinishedRun(name, Path("results") / name, summary, grid)


def two_runs(seed, subjects=6, labels=3, folds=2, gain=0.1, seeds=(0,)):
    """Two runs tested on the same subjects, of whom the same ones are hard for both."""
    rng = np.random.default_rng(seed)
    present = {fold: rng.binomial(60, rng.beta(2, 3, size=(subjects, labels))) for fold in range(folds)}
    recall = {fold: rng.beta(4, 3, size=(subjects, labels)) * 0.8 for fold in range(folds)}
    runs = []
    for name, more in (("first", 0.0), ("other", gain)):
        counts = {s: {fold: random_counts(rng, present[fold], recall[fold] + more) for fold in present} for s in seeds}
        runs.append(make_run(name, counts))
    return runs


@pytest.fixture
def finish(tmp_path) -> Callable[..., Path]:
    """Write the results of a run below `tmp_path/results`; returns its folder."""

    def write(name: str, seeds: tuple[int, ...] = (0,), kind: str = "action_units", skip: int = 0) -> Path:
        all_metrics = []
        folder = tmp_path / "results" / name
        for seed in seeds:
            for fold in (0, 1) if kind == "action_units" else (0,):
                own = seed + skip
                tables = action_unit_tables(own, *FOLDS[fold]) if kind == "action_units" else expression_tables(own)
                metrics = tables.score() | {"seed": seed, "fold": fold}
                write_json(folder / f"seed{seed}" / f"fold{fold}" / "metrics.json", metrics)
                all_metrics.append(metrics)
        write_summary(folder, *summarize(all_metrics, name, 50))
        return folder

    return write


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file in place."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
