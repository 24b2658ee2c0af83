"""Collect the metrics of all seeds and folds of a run, and check that they belong together."""

from typing import Any

from clef.errors import ClefError
from clef.manifest.folds import FoldName

MetricsGrid = dict[int, dict[FoldName, dict[str, Any]]]
"""Seed to fold to the content of `metrics.json`."""


def cross_validation(fold_metrics: list[dict[str, Any]]) -> MetricsGrid:
    """Sort metrics by seed and fold, and check that they form one cross-validation.

    Raises:
        ClefError: A seed misses a fold or has it twice, metrics differ in data set, labels, threshold or test frames,
            or a subject is tested in two folds.
    """
    if not fold_metrics:
        raise ClefError("summary: no metrics given; evaluate the run's folds first")
    grid: MetricsGrid = {}
    for m in sorted(fold_metrics, key=lambda m: (m["seed"], m["fold"])):
        folds = grid.setdefault(m["seed"], {})
        if m["fold"] in folds:
            raise ClefError(f"summary: seed {m['seed']} fold {m['fold']} is given twice; expected it once")
        folds[m["fold"]] = m
    first_seed, expected = next(iter(grid.items()))
    for seed, folds in grid.items():
        if list(folds) != list(expected):
            raise ClefError(
                f"summary: seed {seed} has folds {list(folds)}, seed {first_seed} has {list(expected)}; "
                "evaluate the missing folds"
            )
        for fold, m in folds.items():
            for key in ("dataset", "kind", "labels", "threshold", "resampled"):
                if m[key] != fold_metrics[0][key]:
                    raise ClefError(
                        f"summary: seed {seed} fold {fold} has {key} {m[key]}, another fold has "
                        f"{fold_metrics[0][key]}; evaluate both with the same params"
                    )
            if _test_frames(m) != _test_frames(expected[fold]):
                raise ClefError(
                    f"summary: fold {fold} was tested on other {m['resampled']} or frames with seed {seed} "
                    f"than with seed {first_seed}; evaluate both from the same manifest"
                )
    tested: dict[str, FoldName] = {}
    for fold, m in expected.items():
        for subject in m["subjects"]:
            if tested.setdefault(subject, fold) != fold:
                raise ClefError(f"summary: {subject} is tested in folds {tested[subject]} and {fold}; expected one")
    return grid


def _test_frames(m: dict[str, Any]) -> tuple[Any, ...]:
    per_label = [[row["frames"], row["positives"]] for row in m["rows"].values()]
    return m["frames"], sum(unit["number"] for unit in m["counts"]), m["subjects"], per_label
