"""The summary of a run: the content of `summary.csv` and `summary.json`.

Each metric is computed within a fold over all its frames, then averaged over labels, then over seeds and folds.
`summary.csv` has one row per label, then `mean`, and for expressions `mean_class_accuracy` and `accuracy`, where the
columns `f1` ... hold the mean accuracy within the classes, and the accuracy over all frames. Numbers are between 0 and
1, and empty if undefined. Columns:

- `label`; `f1`: the strict headline; `ci_low`, `ci_high`: its 95 % bootstrap interval over test subjects
  and seeds (see `clef.evaluation.run.bootstrap`);
- `f1_fold0` ...: mean over seeds of each fold; `sd_folds`: standard deviation (n - 1) over these; `sd_seeds`: standard
  deviation over seeds of the means over folds, empty with one seed;
- `precision`, `recall`, `f1_faces`, `f1_field`, `f1_field_max`, `f1_tuned`, `auc`, `ap`, `auc_description`,
  `calibration_error`, `f1_within_activity`, `base_rate`, `floor`, `activity_only` and `coverage`: means over folds and
  seeds of the metrics that `clef.evaluation.fold.score_fold` defines;
- `frames`, `positives`: test frames with a known label, and those that show the label, over all folds. A label with
  code 9 (not codable) is unknown. `positives` is empty in the row `mean`.

`summary.json` holds the same rows and, under `margins`, the intervals of F1 minus `floor` and minus `activity_only`
(see `clef.evaluation.run.baseline_margins`), which decide the verdict. With few test subjects per fold all intervals
are somewhat too narrow. `tuned` has the temperature of each seed and fold, and what it changes; null without a `tune`
section.

With folds of one subject each (`leave_one_out`), `pooled` is true: only `auc` and `ap` are means over folds, all other
columns come from the counts of all folds together (see `clef.evaluation.run.pooled_folds`), and columns chosen on the
test fold are empty.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clef.evaluation.fold import metrics
from clef.evaluation.fold.bootstrap_units import BootstrapUnits, concatenate_units
from clef.evaluation.fold.json_data import json_data, write_json
from clef.evaluation.fold.metrics import ACCURACIES, Floats, mean_known
from clef.evaluation.run.baseline_margins import margins
from clef.evaluation.run.bootstrap import Estimate, estimate, interval
from clef.evaluation.run.fold_metrics import MetricsGrid, cross_validation
from clef.evaluation.run.pooled_folds import pooled_rows
from clef.evaluation.run.published import published_methods
from clef.runtime.files import write_text

DECIMALS = 4
OPTIMISTIC = ["f1_field", "f1_field_max"]
AVERAGED = ["precision", "recall", "f1_faces", *OPTIMISTIC, "f1_tuned", "auc", "ap", "auc_description"]
AVERAGED += ["calibration_error", "f1_within_activity", "base_rate", "floor", "activity_only", "coverage"]
SUMMED = ["frames", "positives"]


def summarize(
    fold_metrics: list[dict[str, Any]], run: str, bootstrap: int, published: str | None = None, pooled: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Combine the metrics of all seeds and folds of a run: the table of `summary.csv`, and the data of `summary.json`.

    `fold_metrics` has the `metrics.json` of each seed and fold, in any order. `bootstrap` is the number of draws of the
    intervals, 0 for none; `published` is the data set whose published results are included; `pooled` computes F1 from
    the counts of all folds together instead of averaging over folds.
    """
    grid = cross_validation(fold_metrics)
    first_seed = next(iter(grid.values()))
    first = next(iter(first_seed.values()))
    expressions = first["kind"] == "expressions"
    names = [*first["labels"], "mean", *(ACCURACIES if expressions else ())]
    units = _units(grid, "counts", pooled)
    pooled_seeds = [pooled_rows(list(of_seed.values())) for of_seed in grid.values()] if pooled else None
    f1 = estimate(
        units, list(grid), lambda counts: metrics.with_totals(metrics.f1(counts), counts, expressions), bootstrap
    )
    intervals = zip(names, *interval(f1), strict=True)
    rows = json_data([_row(grid, name, ends, pooled_seeds) for name, *ends in intervals], DECIMALS)
    table = pd.DataFrame(rows)
    numbers = [column for column in table if column not in ("label", *SUMMED)]
    table = table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(SUMMED, "Int64"))
    summary = {
        "run": run,
        "trained_on": first.get("trained_on", first["dataset"]),
        **{key: first[key] for key in ("dataset", "kind", "labels", "threshold", "resampled")},
        "pooled": pooled,
        "seeds": list(grid),
        "folds": [{"fold": fold, **{key: m[key] for key in ("subjects", "frames")}} for fold, m in first_seed.items()],
        "status": sum((Counter(m["status"]) for m in first_seed.values()), Counter()),
        "bootstrap": bootstrap,
        "optimistic": OPTIMISTIC,
        "margins": None if expressions else _margins(grid, f1, units, pooled, bootstrap),
        "rows": {row.pop("label"): row for row in rows},
        "chosen_on_test": [
            {"seed": seed, "fold": fold, **{key: m[key] for key in ("field", "field_max", "last_epoch")}}
            for seed, of_seed in grid.items()
            for fold, m in of_seed.items()
        ],
        "tuned": _tuned(grid),
        "published": [] if published is None else published_methods(published, first["labels"]),
    }
    return table, json_data(summary, DECIMALS)


def write_summary(folder: Path, table: pd.DataFrame, summary: dict[str, Any]) -> None:
    """Write `summary.json`, then `summary.csv`."""
    write_json(folder / "summary.json", summary)
    text = table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
    write_text(folder / "summary.csv", text)


def _row(
    grid: MetricsGrid, name: str, interval: list[float], pooled_seeds: list[dict[str, dict[str, float]]] | None
) -> dict[str, Any]:
    f1 = _values(grid, name, "f1")  # (seeds, folds)
    by_fold = mean_known(f1, axis=0)
    folds = next(iter(grid.values()))
    row = {
        "label": name,
        "f1": mean_known(by_fold),
        **dict(zip(("ci_low", "ci_high"), interval, strict=True)),
        **{f"f1_fold{fold}": value for fold, value in zip(folds, by_fold, strict=True)},
        "sd_folds": _deviation(by_fold),
        "sd_seeds": _deviation(mean_known(f1, axis=1)),
        **{key: mean_known(mean_known(_values(grid, name, key), axis=0)) for key in AVERAGED},
        **{key: _total(_values(grid, name, key)[0]) for key in SUMMED},
    }
    if pooled_seeds is not None:
        by_seed = {key: np.array([rows[name].get(key, np.nan) for rows in pooled_seeds]) for key in ("f1", *AVERAGED)}
        row |= {key: mean_known(values) for key, values in by_seed.items()}
        row["sd_seeds"] = _deviation(by_seed["f1"])
    return row


def _units(grid: MetricsGrid, key: str, pooled: bool) -> list[list[BootstrapUnits]]:
    """Per fold, or once for all folds together, the units under each seed."""
    folds = zip(*(of_seed.values() for of_seed in grid.values()), strict=True)
    units = [[BootstrapUnits.from_records(m["resampled"], m[key]) for m in seeds] for seeds in folds]
    return [[concatenate_units(of_seed) for of_seed in zip(*units, strict=True)]] if pooled else units


def _margins(
    grid: MetricsGrid, f1: Estimate, units: list[list[BootstrapUnits]], pooled: bool, bootstrap: int
) -> dict[str, Any]:
    every = [m for of_seed in grid.values() for m in of_seed.values()]
    with_activities = all(m["counts_activity_only"] is not None for m in every)
    activity_only = _units(grid, "counts_activity_only", pooled) if with_activities else None
    return margins(f1, units, activity_only, list(grid), every[0]["labels"], bootstrap)


def _tuned(grid: MetricsGrid) -> list[dict[str, Any]] | None:
    """What was tuned for each seed and fold, without the thresholds, which `metrics.json` has."""
    found = [
        {"seed": seed, "fold": fold, **{key: value for key, value in m["tuned"].items() if key != "thresholds"}}
        for seed, of_seed in grid.items()
        for fold, m in of_seed.items()
        if m.get("tuned")
    ]
    return found or None


def _values(grid: MetricsGrid, row: str, key: str) -> Floats:
    """One metric of one row: (seeds, folds), NaN if undefined."""
    values = [[m["rows"][row].get(key) for m in folds.values()] for folds in grid.values()]
    return np.array(values, dtype=np.float64)


def _total(frames: Floats) -> int | None:
    return None if np.isnan(frames).any() else int(frames.sum())


def _deviation(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else np.nan
