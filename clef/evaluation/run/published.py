"""Published results to compare a run with.

`published.csv` holds one value per row: data set, method, year, label (`AU01` ..., `mean`, or `accuracy`), metric,
value in percent as printed, how epoch and threshold were chosen as far as known, and the source.

On BP4D+ the label values of two methods do not average to their printed mean: CLEF's average is 62.7 (printed: 63.1),
ViT's is 61.8 (printed: 61.6).
"""

import csv
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clef.datasets.base import Dataset

CLASSES = {"rafdb": 7, "affectnet7": 7, "affectnet8": 8, "ferplus": 8}
"""Number of expressions behind the published accuracies."""


def published_rows(dataset: str) -> list[dict[str, Any]]:
    """The rows of a data set, with `year` as int and `value` as float. Case and punctuation of its name are ignored."""
    text = resources.files("clef.evaluation.run").joinpath("published.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["dataset"] == _key(dataset)]
    return [{**row, "year": int(row["year"]), "value": float(row["value"])} for row in rows]


def published_protocol(dataset: "Dataset") -> str | None:
    """The data set whose published results are comparable with a run; None if the run is tested differently.

    A run is comparable if it uses the published folds or splits, all their subjects, and every labelled frame.
    """
    params = dataset.params
    as_published = params.folds.protocol in ("standard", "official") and dataset.tests_as_published
    return params.dataset.adapter if as_published and params.test is None and params.evaluate.stride == 1 else None


def published_methods(dataset: str, labels: list[str]) -> list[dict[str, Any]]:
    """Published results on the same data set and labels: `method`, `year`, `protocol`, `source` and `values` of each.

    `values` maps a label to a number from 0 to 1. `mean` and `accuracy` are left out unless the run predicts all labels
    that they average over, and no others. For `affectnet` the number of labels selects the variant.
    """
    key = _key(dataset)
    if key == "affectnet":
        key = f"affectnet{len(labels)}"
    rows = published_rows(key)
    standard = {row["label"] for row in rows if row["label"].startswith("AU")}
    same = len(labels) == CLASSES[key] if key in CLASSES else set(labels) == standard
    methods: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["label"] in labels or (same and row["label"] in ("mean", "accuracy")):
            about = {name: row[name] for name in ("method", "year", "protocol", "source")}
            values = methods.setdefault(row["method"], {**about, "values": {}})["values"]
            values[row["label"]] = round(row["value"] / 100, 4)
    return list(methods.values())


@dataclass(frozen=True)
class Entry:
    """A line of the table that sets a run beside published results."""

    value: float
    """Between 0 and 1."""
    method: str
    year: str
    chosen: str
    """How epoch and threshold were chosen, as far as known."""
    source: str | None
    """None for the run itself."""


def ranking(summary: dict[str, Any]) -> list[Entry]:
    """Published results on the same labels and those of the run, highest first; empty if nothing is published.

    How published numbers chose epoch and threshold is mostly unknown. So the run is listed twice: strict, and with both
    chosen on the test folds.
    """
    accuracy = "accuracy" in summary["rows"]
    key = "accuracy" if accuracy else "mean"
    entries = [
        Entry(e["values"][key], e["method"], str(e["year"]), e["protocol"].partition(";")[0], e["source"])
        for e in summary.get("published", [])
        if key in e["values"]
    ]
    if not entries:
        return []
    row = summary["rows"][key]
    choice = "epoch" if accuracy else "epoch and threshold"
    results = {
        "last epoch" if accuracy else "last epoch, fixed threshold": row["f1"],
        f"{choice} chosen on the test set": row.get("f1_field" if accuracy else "f1_field_max"),
    }
    entries += [Entry(v, summary["run"], "this run", how, None) for how, v in results.items() if v is not None]
    return sorted(entries, key=lambda entry: (entry.value, entry.method), reverse=True)


def _key(dataset: str) -> str:
    return re.sub("[^a-z0-9]", "", dataset.lower().replace("+", "plus"))
