"""Read a finished run from `results/{run}/`: `summary.json` and the `metrics.json` of every seed and fold."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clef.errors import ClefError
from clef.evaluation.run.fold_metrics import MetricsGrid, cross_validation
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.manifest.folds import FoldName
from clef.runtime.paths import seed_and_fold

ROUNDING = 2e-4  # the summary's values have four decimals


@dataclass(frozen=True)
class FinishedRun:
    """The results of one run, with the name that the user gave."""

    name: str
    folder: Path
    summary: dict[str, Any]
    grid: MetricsGrid

    @property
    def labels(self) -> list[str]:
        """The labels that it predicts, in order."""
        return list(self.summary["labels"])

    @property
    def folds(self) -> list[FoldName]:
        """Its folds, which are the same for every seed."""
        return list(next(iter(self.grid.values())))

    def training_folders(self) -> list[Path]:
        """The folder of each seed and fold."""
        return [self.folder / seed_and_fold(seed, fold) for seed, folds in self.grid.items() for fold in folds]


def read_run(name: str, results: Path) -> FinishedRun:
    """Read a run by its name in the folder of all results, or by the path of a folder with its results.

    Raises:
        ClefError: A file is missing, invalid or incomplete, or the summary does not match the metrics.
    """
    folder = Path(name) if "/" in name else results / name
    summary = _read_json(folder / "summary.json", "finish the run, or give the path of a folder with its results")
    try:
        trainings = [(seed, fold["fold"]) for seed in summary["seeds"] for fold in summary["folds"]]
        headline = summary["rows"]["mean"]["f1"]
    except (KeyError, TypeError):
        raise ClefError(f"{folder}/summary.json: not a summary; expected what `clef summarize` wrote") from None
    paths = [folder / seed_and_fold(seed, fold) / "metrics.json" for seed, fold in trainings]
    grid = cross_validation([_read_json(path, "the comparison needs its counts") for path in paths])
    by_seed = [list(folds.values()) for folds in grid.values()]
    if summary.get("pooled"):
        means = [[pooled_rows(folds)["mean"]["f1"]] for folds in by_seed]
    else:
        means = [[metrics["rows"]["mean"]["f1"] for metrics in folds] for folds in by_seed]
    by_fold = [sum(values) / len(values) for values in zip(*means, strict=True) if None not in values]
    if headline is not None and by_fold and abs(sum(by_fold) / len(by_fold) - headline) > ROUNDING:
        raise ClefError(f"{folder}/summary.json: does not match the metrics of its folds; summarize the run again")
    return FinishedRun(name, folder, summary, grid)


def _read_json(path: Path, advice: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ClefError(f"{path}: no such file; {advice}") from None
    except ValueError:
        raise ClefError(f"{path}: not valid JSON; create it again") from None
