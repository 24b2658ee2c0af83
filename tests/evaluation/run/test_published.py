import pytest

from clef.datasets import open_dataset
from clef.evaluation.run.published import published_methods, published_protocol, published_rows
from clef.params.schema import Params

BP4D = [f"AU{number:02d}" for number in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)]
DISFA = [f"AU{number:02d}" for number in (1, 2, 4, 6, 9, 12, 25, 26)]
SEVEN = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
BP4D_RUN = {"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}}
MISPRINTED = {("bp4dplus", "CLEF"): 62.7, ("bp4dplus", "ViT"): 61.8}
"""The mean of the printed values, where it differs from the printed mean."""


@pytest.mark.parametrize(
    ("dataset", "labels", "clef"), [("bp4d", BP4D, 65.9), ("bp4dplus", BP4D, 63.1), ("disfa", DISFA, 64.8)]
)
def test_printed_means_agree_with_the_printed_values(dataset, labels, clef):
    methods = {}
    for row in published_rows(dataset):
        assert methods.setdefault(row["method"], {}).setdefault(row["label"], row["value"]) == row["value"]
    assert methods["CLEF"]["mean"] == clef
    complete = {method: values for method, values in methods.items() if set(values) != {"mean"}}
    assert len(complete) >= 6
    for method, values in complete.items():
        assert set(values) == {*labels, "mean"}
        mean = sum(values[label] for label in labels) / len(labels)
        assert mean == pytest.approx(MISPRINTED.get((dataset, method), values["mean"]), abs=0.0501)


def values_by_method(dataset, labels):
    return {entry["method"]: entry["values"] for entry in published_methods(dataset, labels)}


def test_names_are_matched_without_case_and_punctuation():
    assert published_rows("BP4D+") == published_rows("bp4d_plus") == published_rows("bp4dplus")
    assert published_methods("demo", BP4D) == []


def test_only_the_same_labels_are_compared():
    every, two = (values_by_method("bp4d", labels) for labels in (BP4D, ["AU12", "AU01"]))
    assert {"mean": 0.659, "AU01": 0.558}.items() <= every["CLEF"].items()
    assert every["CLIP, label names and descriptions"] == {"mean": 0.644}
    assert two["CLEF"] == {"AU01": 0.558, "AU12": 0.878}
    assert "CLIP, label names and descriptions" not in two


@pytest.mark.parametrize(
    ("dataset", "labels", "clef"),
    [
        ("raf_db", SEVEN, {"accuracy": 0.9009}),
        ("affectnet", SEVEN, {"accuracy": 0.6566}),
        ("affectnet", [*SEVEN, "contempt"], {"accuracy": 0.6277}),
        ("raf_db", SEVEN[:5], None),
    ],
)
def test_the_number_of_expressions_selects_the_published_accuracies(dataset, labels, clef):
    assert values_by_method(dataset, labels).get("CLEF") == clef


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "bp4d"),
        ({"folds": {"protocol": "subjects"}}, None),
        ({"folds": {"protocol": "leave_one_out"}}, None),
        ({"evaluate": {"stride": 10}}, None),
        ({"test": {"run": "disfa"}}, None),
        ({"dataset": {"adapter": "bp4d", "options": {"subjects": ["F001", "M001"]}}}, None),
    ],
)
def test_published_results_are_shown_only_for_runs_with_the_published_test(changes, expected):
    assert published_protocol(open_dataset(Params.model_validate(BP4D_RUN | changes))) == expected
