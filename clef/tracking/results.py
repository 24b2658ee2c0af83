"""Results of a tracked unit: which files they are, and their numbers and artifacts in MLflow.

A record names the files of results that belong to it with their hashes, so that those of an older training, which may
still lie there, are not taken for its own.
"""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric

from clef.runtime.files import file_hash
from clef.runtime.paths import seed_and_fold
from clef.tracking.record import RUN_RECORD, Record

BASELINES = ("base_rate", "floor", "activity_only", "activity_only_auc", "activity_only_untuned")
COUNTS = ("frames", "positives")
FOLD_COLUMNS = ("f1", "f1_faces", "f1_field", "auc", "ap", "f1_within_activity", "floor", "activity_only", "coverage")


def log_results(client: MlflowClient, run: str, path: Path, record: Record) -> int:
    """Log what the result files of a record say, as far as MLflow does not have it yet.

    Returns:
        How many values were new.
    """
    files = own_results(path, record)
    if not files:
        return 0
    values: dict[str, float] = {}
    if "metrics.json" in files:
        values = scores(_read(files["metrics.json"])["rows"])
    if "summary.json" in files:
        values = scores(_read(files["summary.json"])["rows"])
    known = client.get_run(run).data.metrics
    now = int(time.time() * 1000)
    new = [name for name, value in values.items() if known.get(name) != value]
    if new:
        scoring = _scoring(client, run, [name for name in new if name in known])
        client.log_batch(run, metrics=[Metric(name, values[name], now, scoring) for name in new])
    if path.name == RUN_RECORD:
        _log_files(client, run, path.parent, files)
    return len(new)


def _scoring(client: MlflowClient, run: str, changed: Sequence[str]) -> int:
    """The step of new results: how often the run was scored before, since a curve has one value a step."""
    steps = [point.step for name in changed for point in client.get_metric_history(run, name)]
    return max(steps, default=-1) + 1


def own_results(path: Path, record: Record) -> dict[str, Path]:
    """The files that the record names and that are still those."""
    named = {name: path.parent / name for name in record.results}
    return {name: file for name, file in named.items() if file.is_file() and file_hash(file) == record.results[name]}


def scores(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Metrics of a table of results: all of its mean, and F1 of each label; what is undefined is left out.

    The mean's `ci_low` is `test/f1_ci_low`, its `auc` is `test/auc`, the F1 of AU12 is `test/f1_AU12`, and what a
    model has to beat is `baseline/floor` and so on. The strict F1 comes first: MLflow's comparison opens with it.
    """
    mean = rows["mean"]
    found: dict[str, float | None] = {"test/f1": mean["f1"]}
    for name in sorted(mean, key=lambda name: (not name.startswith(("ci_", "f1_")), name in BASELINES, name)):
        if name not in COUNTS:
            found[f"baseline/{name}" if name in BASELINES else f"test/{_column(name)}"] = mean[name]
    for label, row in rows.items():
        if label == "accuracy":
            found["test/accuracy"] = row["f1"]
        elif label != "mean":
            found[f"test/f1_{label}"] = row["f1"]
    return {name: float(value) for name, value in found.items() if value is not None}


def _column(name: str) -> str:
    return f"f1_{name}" if name.startswith(("ci_", "sd_")) else name


def fold_table(folder: Path) -> pd.DataFrame:
    """One row for each seed and fold of a run that is scored: its test subjects and the mean of each metric."""
    rows = []
    for path in sorted(folder.glob(str(seed_and_fold("*", "*") / "metrics.json"))):
        metrics = _read(path)
        mean = metrics["rows"]["mean"]
        about = {"seed": metrics["seed"], "fold": metrics["fold"], "frames": metrics["frames"]}
        rows.append({**about, **{name: mean.get(name) for name in FOLD_COLUMNS}, "subjects": metrics["subjects"]})
    table = pd.DataFrame(rows)
    if rows:
        table["subjects"] = table["subjects"].map(lambda names: " ".join(map(str, names)))
    return table


def _log_files(client: MlflowClient, run: str, folder: Path, files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        client.log_artifact(run, str(path), str(Path(name).parent) if "/" in name else None)
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "folds.csv"
        fold_table(folder).to_csv(table, index=False)
        client.log_artifact(run, str(table))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
