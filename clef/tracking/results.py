"""Send the results of a training or of a whole run to MLflow: scores as metrics, summary and plots as artifacts."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric

from clef.runtime.files import file_hash
from clef.tracking.record import RUN_RECORD, Record
from clef.tracking.store import Store

BASELINES = ("base_rate", "floor", "activity_only", "activity_only_auc", "activity_only_untuned")


def log_results(store: Store, run: str, path: Path, record: Record) -> int:
    """Log the results that a record names and that MLflow does not have yet; return the number of new values."""
    named = {name: path.parent / name for name in record.results}
    files = {name: file for name, file in named.items() if file.is_file() and file_hash(file) == record.results[name]}
    values: dict[str, float] = {}
    for name in ("metrics.json", "summary.json"):
        if name in files:
            values = scores(json.loads(files[name].read_text(encoding="utf-8"))["rows"])
    client = store.client
    known = client.get_run(run).data.metrics if values else {}
    new = {name: value for name, value in values.items() if known.get(name) != value}
    if new:
        # A run that is scored again gets its new values at the next step: a curve has one value per step.
        earlier = [point.step for name in new if name in known for point in client.get_metric_history(run, name)]
        step, now = max(earlier, default=-1) + 1, int(time.time() * 1000)
        client.log_batch(run, metrics=[Metric(name, value, now, step) for name, value in new.items()])
    if path.name == RUN_RECORD:
        for name, file in files.items():
            store.log_artifact(run, file, name)
    return len(new)


def scores(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Convert a table of results to metrics, such as `test/f1_ci_low`, `test/auc`, `baseline/floor` and `test/f1_AU12`.

    They are all values of the mean, and the F1 of each label; undefined values are left out. The strict F1 comes first,
    because MLflow's comparison opens with the first metric.
    """
    mean = rows["mean"]
    found: dict[str, float | None] = {"test/f1": mean["f1"]}
    for name in sorted(mean, key=lambda name: (not name.startswith(("ci_", "f1_")), name in BASELINES, name)):
        if name in BASELINES:
            found[f"baseline/{name}"] = mean[name]
        elif name not in ("frames", "positives"):
            found[f"test/f1_{name}" if name.startswith(("ci_", "sd_")) else f"test/{name}"] = mean[name]
    for label, row in rows.items():
        if label in ("mean_class_accuracy", "accuracy"):
            found[f"test/{label}"] = row["f1"]
        elif label != "mean":
            found[f"test/f1_{label}"] = row["f1"]
    return {name: float(value) for name, value in found.items() if value is not None}
