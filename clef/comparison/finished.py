"""A finished run as `results/{run}/` holds it: `summary.json` and the `metrics.json` of every seed and fold."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clef.errors import ClefError
from clef.evaluation.run.cross_validation import MetricsGrid, cross_validation
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.manifest.folds import FoldName
from clef.runtime.paths import seed_and_fold


@dataclass(frozen=True)
class FinishedRun:
    """One run, read."""

    name: str
    """As the user gave it."""
    folder: Path
    summary: dict[str, Any]
    grid: MetricsGrid

    @property
    def labels(self) -> list[str]:
        """What it predicts, in order."""
        return list(self.summary["labels"])

    @property
    def folds(self) -> list[FoldName]:
        """Numbers of its folds, the same under every seed."""
        return list(next(iter(self.grid.values())))

    def training_folders(self) -> list[Path]:
        """Where the weights of each seed and fold and their JSON lie."""
        return [self.folder / seed_and_fold(seed, fold) for seed, folds in self.grid.items() for fold in folds]


def read_run(name: str, results: Path) -> FinishedRun:
    """Read a run.

    Args:
        name: Of a run, or the path of a folder with its results.
        results: Folder of all runs.

    Raises:
        ClefError: A file is missing, is no JSON, or lacks what is read here; or the summary is of other metrics than
            those beside it.
    """
    folder = Path(name) if "/" in name else results / name
    summary = _read_json(folder / "summary.json", "finish the run, or give the path of a folder with its results")
    try:
        places = [(seed, fold["fold"]) for seed in summary["seeds"] for fold in summary["folds"]]
        headline = summary["rows"]["mean"]["f1"]
    except (KeyError, TypeError):
        raise ClefError(f"{folder}/summary.json: not a summary; expected what `clef summarize` wrote") from None
    paths = [folder / seed_and_fold(seed, fold) / "metrics.json" for seed, fold in places]
    grid = cross_validation([_read_json(path, "its counts are needed for the differences") for path in paths])
    if summary.get("pooled"):
        means = [[pooled_rows(list(folds.values()))["mean"]["f1"]] for folds in grid.values()]
    else:
        means = [[m["rows"]["mean"]["f1"] for m in folds.values()] for folds in grid.values()]
    known = [sum(column) / len(column) for column in zip(*means, strict=True) if None not in column]
    if headline is not None and known and abs(sum(known) / len(known) - headline) > ROUNDING:
        raise ClefError(f"{folder}/summary.json: of other metrics than those beside it; summarize the run again")
    return FinishedRun(name, folder, summary, grid)


ROUNDING = 2e-4
"""How far a mean of the metrics may lie from the summary's, which has four decimals."""


def _read_json(path: Path, why: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ClefError(f"{path}: no such file; {why}") from None
    except ValueError:
        raise ClefError(f"{path}: not valid JSON; make it again") from None
