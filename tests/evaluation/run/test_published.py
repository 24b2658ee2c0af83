import re

import pytest

from clef.datasets import open_dataset
from clef.evaluation.run.published import published_methods, published_protocol, published_rows
from clef.params.schema import Params

DATASETS = ["bp4d", "bp4dplus", "disfa", "rafdb", "affectnet7", "affectnet8", "ferplus"]
BP4D = [f"AU{number:02d}" for number in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)]
DISFA = [f"AU{number:02d}" for number in (1, 2, 4, 6, 9, 12, 25, 26)]
MISPRINTED = {("bp4dplus", "CLEF"): 62.7, ("bp4dplus", "ViT"): 61.8}
"""Whose values do not average to the mean that is printed, and what they do average to."""


def by_method(dataset):
    methods = {}
    for row in published_rows(dataset):
        assert row["label"] not in methods.setdefault(row["method"], {})
        methods[row["method"]][row["label"]] = row["value"]
    return methods


@pytest.mark.parametrize(("dataset", "labels"), [("bp4d", BP4D), ("bp4dplus", BP4D), ("disfa", DISFA)])
def test_printed_means_agree_with_the_values(dataset, labels):
    checked = 0
    for method, values in by_method(dataset).items():
        assert set(values) in ({"mean"}, {*labels, "mean"})
        if len(values) == 1:
            continue
        mean = sum(values[label] for label in labels) / len(labels)
        assert mean == pytest.approx(MISPRINTED.get((dataset, method), values["mean"]), abs=0.0501)
        checked += 1
    assert checked >= 6


@pytest.mark.parametrize(("dataset", "value"), [("bp4d", 65.9), ("bp4dplus", 63.1), ("disfa", 64.8)])
def test_clef_on_action_units(dataset, value):
    assert by_method(dataset)["CLEF"]["mean"] == value


@pytest.mark.parametrize(("dataset", "value"), [("rafdb", 90.09), ("affectnet7", 65.66), ("affectnet8", 62.77)])
def test_clef_on_expressions(dataset, value):
    assert by_method(dataset)["CLEF"] == {"accuracy": value}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_value_says_where_it_comes_from(dataset):
    rows = published_rows(dataset)
    assert rows
    for row in rows:
        assert row["source"]
        assert re.search("test fold|test images", row["protocol"])
        assert 2015 <= row["year"] <= 2030
        assert 20 < row["value"] < 100
        assert row["metric"] == ("accuracy" if row["label"] == "accuracy" else "f1")


@pytest.mark.parametrize("name", ["bp4d_plus", "BP4D+", "bp4dplus"])
def test_names_are_found_however_they_are_written(name):
    assert published_rows(name) == published_rows("bp4dplus")


def test_nobody_published_on_the_demo():
    assert published_rows("demo") == []
    assert published_methods("demo", BP4D) == []


def test_only_the_same_labels_are_compared():
    whole = {entry["method"]: entry["values"] for entry in published_methods("bp4d", BP4D)}
    assert whole["CLEF"]["mean"] == 0.659
    assert whole["CLEF"]["AU01"] == 0.558
    assert whole["CLIP, label names and descriptions"] == {"mean": 0.644}
    some = {entry["method"]: entry["values"] for entry in published_methods("bp4d", ["AU12", "AU01"])}
    assert some["CLEF"] == {"AU01": 0.558, "AU12": 0.878}
    assert "CLIP, label names and descriptions" not in some


def test_the_number_of_classes_tells_the_variant_of_affectnet():
    seven = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
    values = {
        len(names): {e["method"]: e["values"] for e in published_methods("affectnet", names)}
        for names in (seven, [*seven, "contempt"])
    }
    assert values[7]["CLEF"] == {"accuracy": 0.6566}
    assert values[8]["CLEF"] == {"accuracy": 0.6277}
    assert published_methods("raf_db", seven[:5]) == []


FERPLUS = {
    "dataset": {"adapter": "ferplus"},
    "folds": {"protocol": "official", "number": 1},
    "labels": {"kind": "expressions", "expressions": ["happiness", "neutral"], "votes": "majority"},
    "pretrain": None,
}
"""On the private test."""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}}, "bp4d"),
        ({"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "subjects"}}, None),
        ({"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "leave_one_out"}}, None),
        ({"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}, "evaluate": {"stride": 10}}, None),
        ({"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}, "test": {"run": "disfa"}}, None),
        (
            {
                "dataset": {"adapter": "bp4d", "options": {"subjects": ["F001", "M001"]}},
                "folds": {"protocol": "standard"},
            },
            None,
        ),
        (FERPLUS, "ferplus"),
        (FERPLUS | {"dataset": {"adapter": "ferplus", "options": {"tested": "public"}}}, None),
    ],
)
def test_published_numbers_stand_beside_a_run_that_tests_as_they_did(settings, expected):
    assert published_protocol(open_dataset(Params.model_validate(settings))) == expected
