"""Published numbers, to set a run beside them.

`published.csv` holds one value a row: data set, method, year, label (`AU01` ..., `mean`, or `accuracy`),
metric, value in percent as printed, how epoch and threshold were chosen as far as known, and the source.

On BP4D+ the values of two methods do not average to their printed mean: CLEF's to 62.7 where 63.1 is printed,
ViT's to 61.8 where 61.6 is.
"""

import csv
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clef.datasets.base import Dataset

CLASSES = {"rafdb": 7, "affectnet7": 7, "affectnet8": 8, "ferplus": 8}
"""Number of expressions behind the published accuracies."""


def published(dataset: str) -> list[dict[str, Any]]:
    """The rows about a data set, in the file's order; none for one that nobody published on.

    Args:
        dataset: `bp4d`, `bp4d_plus`, `disfa`, `raf_db`, `affectnet7`, `affectnet8`, `fer_plus`; case and
            punctuation do not matter.

    Returns:
        Dicts with the file's columns; `year` is an int and `value` a float, in percent.
    """
    return [dict(row) for row in _table() if row["dataset"] == _key(dataset)]


def published_on(dataset: "Dataset") -> str | None:
    """The data set whose published numbers may stand beside a run's, or None where the run tests otherwise.

    Args:
        dataset: The adapter with the run's settings: published folds or splits, of everybody, on every labelled frame.
    """
    params = dataset.params
    as_published = params.folds.protocol in ("standard", "official") and dataset.tests_as_published
    return params.dataset.adapter if as_published and params.test is None and params.evaluate.stride == 1 else None


def comparable(dataset: str, labels: list[str]) -> list[dict[str, Any]]:
    """What was published on the same data set and labels as a run's, one dict a method.

    A mean over other labels is no comparison, so `mean` and `accuracy` are left out unless the run predicts
    all the labels that the published one is over.

    Args:
        dataset: As in `published`, or `affectnet`, of which the number of labels tells the variant.
        labels: The run's.

    Returns:
        `method`, `year`, `protocol`, `source`, and `values`: label to a number between 0 and 1.
    """
    key = _key(dataset)
    if key == "affectnet":
        key = f"affectnet{len(labels)}"
    rows = published(key)
    standard = {row["label"] for row in rows if row["label"].startswith("AU")}
    same = len(labels) == CLASSES[key] if key in CLASSES else set(labels) == standard
    methods: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["label"] not in labels and not (same and row["label"] in ("mean", "accuracy")):
            continue
        about = {name: row[name] for name in ("method", "year", "protocol", "source")}
        values = methods.setdefault(row["method"], {**about, "values": {}})["values"]
        values[row["label"]] = round(row["value"] / 100, 4)
    return list(methods.values())


def _key(dataset: str) -> str:
    return re.sub("[^a-z0-9]", "", dataset.lower().replace("+", "plus"))


@cache
def _table() -> tuple[dict[str, Any], ...]:
    file = resources.files("clef.evaluation").joinpath("published.csv")
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return tuple({**row, "year": int(row["year"]), "value": float(row["value"])} for row in rows)
