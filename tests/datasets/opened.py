"""Open data sets with the settings that tests need."""

from clef.datasets import open_dataset
from clef.datasets.base import Dataset
from clef.params.schema import Params


def action_units(adapter: str, folds: dict[str, object] | None = None, **options: object) -> Dataset:
    """A data set of action units."""
    values = {"dataset": {"adapter": adapter, "options": options}, "labels": {"action_units": [1, 2, 4]}}
    return open_dataset(Params.model_validate(values | {"folds": folds or {}}))


def expressions(
    adapter: str,
    names=("neutral", "fear"),
    votes: str | None = None,
    max_bad: float = 0.0,
    detector: str = "none",
    **options: object,
) -> Dataset:
    """A data set of expressions with the official split."""
    values = {
        "dataset": {"adapter": adapter, "options": options},
        "labels": {"kind": "expressions", "expressions": list(names), "votes": votes},
        "folds": {"protocol": "official", "number": 1},
        "ingest": {"max_bad": max_bad},
        "crop": {"detector": detector},
    }
    return open_dataset(Params.model_validate(values))


def demo(max_bad: float = 0.0, **render: object) -> Dataset:
    """The demo with two activities of two subjects: F001 and M001."""
    values = {"dataset": {"adapter": "demo"}, "render": {"subjects": 2, "activities": 2} | render}
    return open_dataset(Params.model_validate(values | {"folds": {"number": 2}, "ingest": {"max_bad": max_bad}}))
