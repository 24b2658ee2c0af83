"""The summary of a run: what `summary.csv` and `summary.json` hold.

The field's protocol: each metric is taken inside a fold, frames pooled; then the mean over labels; then the
mean over seeds and folds. `summary.csv` has one row a label, then `mean`, and for expressions `accuracy`;
numbers lie between 0 and 1 and are empty where undefined. Its columns:

- `label`; `f1`, the strict headline; `ci_low`, `ci_high`, its 95 % bootstrap interval over test subjects;
- `f1_fold0` ..., the mean over seeds of each fold; `sd_folds`, the standard deviation (n - 1) over these;
  `sd_seeds`, that of the runs' means over folds from seed to seed;
- `precision`, `recall` (in the row `mean` of expressions: mean class accuracy), `f1_faces`;
- `f1_field`, `f1_field_max`: optimistic. The epoch, and for `f1_field_max` one threshold for all labels, are chosen on
  the test fold by the mean over labels: the mean cannot fall below the strict one, a single label can;
- `f1_tuned`: thresholds from training subjects held out for it; empty without a `tune` section;
- `auc`, `ap`, `f1_within_activity`, `base_rate`, `floor`, `activity_only`, `coverage`, as
  `clef.evaluation.fold.score_fold` explains them, mean over folds and seeds;
- `frames`, `positives`: labelled test frames whose label is known, and those with the label, of all folds together
  (`positives` is empty in the row `mean`; a label that is not codable in a frame, code 9, is not known there).

`sd_seeds` is empty with one seed, `activity_only` where there are no activities.

`summary.json` holds the same rows and, under `margins`, the intervals of F1 less `floor` and less `activity_only` (see
`clef.evaluation.run.margins`):
what the verdict goes by. With few test subjects a fold all intervals are somewhat narrow.

In the row `accuracy` the columns `f1` ... hold the accuracy over all classes, not an F1.

With folds of one subject each (`leave_one_out`) nothing but `auc` and `ap` is a mean over folds: `f1`, its interval and
the other columns come from the counts of all folds together (`clef.evaluation.run.pooled_folds`). What would be
chosen on the test fold is empty. The key `pooled` of `summary.json` says that it was so.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.json_data import plain, write_json
from clef.evaluation.fold.metrics import Floats, mean_known
from clef.evaluation.run.bootstrap import bootstrap_interval
from clef.evaluation.run.cross_validation import MetricsGrid, cross_validation
from clef.evaluation.run.margins import margins
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.published import comparable
from clef.manifest.folds import FoldName
from clef.runtime.files import write_text

DECIMALS = 4

OPTIMISTIC = ["f1_field", "f1_field_max"]

AVERAGED = ["precision", "recall", "f1_faces", *OPTIMISTIC, "f1_tuned", "auc", "ap", "f1_within_activity"]
AVERAGED += ["base_rate", "floor", "activity_only", "coverage"]

SUMMED = ["frames", "positives"]

CHOSEN = ["field", "field_max", "last_epoch"]


def summarize(
    fold_metrics: list[dict[str, Any]],
    run: str,
    bootstrap: int,
    published_on: str | None = None,
    pooled: bool = False,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Bring the metrics of all seeds and folds of a run together.

    Args:
        fold_metrics: What `score_fold` returned for each, with its `seed` and `fold`, in any order.
        run: The run's name.
        bootstrap: Resamples of the intervals; 0 for none.
        published_on: Data set whose published numbers are set beside the run's; none without.
        pooled: Take F1 from the counts of all folds together instead of averaging over folds.

    Returns:
        The table of `summary.csv`, and the plain data of `summary.json`.

    Raises:
        ClefError: As `cross_validation`.
    """
    grid = cross_validation(fold_metrics)
    seeds, folds = list(grid), list(next(iter(grid.values())))
    first = grid[seeds[0]][folds[0]]
    names = [*first["labels"], *(name for name in ("mean", "accuracy") if name in first["rows"])]
    units = _units(grid, "counts", pooled)
    together = [pooled_rows(list(of_seed.values())) for of_seed in grid.values()] if pooled else []
    low, high = bootstrap_interval(units, lambda counts: _headline(counts, "accuracy" in names), bootstrap)
    rows = []
    for i, name in enumerate(names):
        f1 = _values(grid, name, "f1")  # (seeds, folds)
        by_fold = mean_known(f1, axis=0)
        row = {"label": name, "f1": mean_known(by_fold), "ci_low": low[i], "ci_high": high[i]}
        row |= {f"f1_fold{fold}": value for fold, value in zip(folds, by_fold, strict=True)}
        row |= {"sd_folds": _deviation(by_fold), "sd_seeds": _deviation(mean_known(f1, axis=1))}
        row |= {key: mean_known(mean_known(_values(grid, name, key), axis=0)) for key in AVERAGED}
        if pooled:
            by_seed = {
                key: np.array([of_seed[name].get(key, np.nan) for of_seed in together]) for key in ("f1", *AVERAGED)
            }
            row |= {key: mean_known(values) for key, values in by_seed.items()} | {
                "sd_seeds": _deviation(by_seed["f1"])
            }
        row |= {key: _total(_values(grid, name, key)[0]) for key in SUMMED}
        rows.append(row)
    rows = plain(rows, DECIMALS)
    table = pd.DataFrame(rows)
    numbers = [column for column in table if column not in ("label", *SUMMED)]
    table = table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(SUMMED, "Int64"))
    summary = {
        "run": run,
        "dataset": first["dataset"],
        "trained_on": first.get("trained_on", first["dataset"]),
        "kind": first["kind"],
        "labels": first["labels"],
        "threshold": first["threshold"],
        "pooled": pooled,
        "seeds": seeds,
        "folds": [
            {
                "fold": fold,
                "subjects": grid[seeds[0]][fold]["subjects"],
                "frames": grid[seeds[0]][fold]["frames"],
            }
            for fold in folds
        ],
        "status": _status(grid[seeds[0]]),
        "resampled": first["resampled"],
        "bootstrap": bootstrap,
        "optimistic": OPTIMISTIC,
        "margins": _margins(grid, units, pooled, bootstrap) if first["kind"] == "action_units" else None,
        "rows": {row["label"]: {key: value for key, value in row.items() if key != "label"} for row in rows},
        "chosen_on_test": [
            {
                "seed": seed,
                "fold": fold,
                **{key: grid[seed][fold][key] for key in CHOSEN},
            }
            for seed in seeds
            for fold in folds
        ],
        "published": [] if published_on is None else comparable(published_on, first["labels"]),
    }
    return table, plain(summary, DECIMALS)


def write_summary(folder: Path, table: pd.DataFrame, summary: dict[str, Any]) -> None:
    """Write what `summarize` returned: `summary.json`, then `summary.csv`."""
    write_json(folder / "summary.json", summary)
    text = table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
    write_text(folder / "summary.csv", text)


def _headline(counts: Floats, with_accuracy: bool) -> Floats:
    """Confusion counts (..., labels, 4) to the table's rows: F1 of each label, their mean, accuracy."""
    f1 = metrics.f1(counts)
    parts = [f1, mean_known(f1)[..., None]]
    if with_accuracy:
        parts.append(metrics.accuracy(counts)[..., None])
    return np.concatenate(parts, axis=-1)


def _units(grid: MetricsGrid, key: str, pooled: bool) -> list[list[BootstrapUnits]]:
    """Per fold, or once for all folds together, the units under each seed."""
    folds = zip(*(of_seed.values() for of_seed in grid.values()), strict=True)
    units = [[BootstrapUnits.from_records(m["resampled"], m[key]) for m in seeds] for seeds in folds]
    return [[concatenate_units(of_seed) for of_seed in zip(*units, strict=True)]] if pooled else units


def _margins(grid: MetricsGrid, units: list[list[BootstrapUnits]], pooled: bool, bootstrap: int) -> dict[str, Any]:
    every = [m for of_seed in grid.values() for m in of_seed.values()]
    with_activities = all(m["counts_activity_only"] is not None for m in every)
    without_faces = _units(grid, "counts_activity_only", pooled) if with_activities else None
    return margins(units, without_faces, every[0]["labels"], bootstrap)


def _values(grid: MetricsGrid, row: str, key: str) -> Floats:
    """One metric of one row, (seeds, folds), NaN where undefined."""
    values = [[m["rows"][row].get(key) for m in folds.values()] for folds in grid.values()]
    return np.array(values, dtype=np.float64)


def _total(frames: Floats) -> int | None:
    return None if np.isnan(frames).any() else int(frames.sum())


def _deviation(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else np.nan


def _status(folds: dict[FoldName, dict[str, Any]]) -> dict[str, int]:
    names = sorted({name for m in folds.values() for name in m["status"]})
    return {name: sum(m["status"].get(name, 0) for m in folds.values()) for name in names}
