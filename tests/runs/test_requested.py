"""The runs that the workflow is asked for: others are not read, and these must agree on their data."""

import pytest

from clef.params.schema import ParamsError
from clef.runs.load import REQUESTED
from clef.runs.requested import RequestedRuns
from tests.runs.conftest import BASE, PLUS, write

GIVEN = {"protocol": "given", "test_subjects": [["P01", "P02"], ["P03"]]}
OFFICIAL = {"protocol": "official", "number": 1}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv(REQUESTED, "")


def own(options: dict | None = None, folds: dict | None = None) -> dict:
    dataset = {"adapter": "folder", "name": "mine", "options": options or {}}
    return {"dataset": dataset, "folds": folds or GIVEN, "pretrain": None, "device": "cpu"}


def error_of(folder, run: str, after: str | None = None) -> str:
    requested = RequestedRuns(folder)
    assert after is None or requested[after].name == after
    with pytest.raises(ParamsError) as caught:
        requested[run]
    return str(caught.value)


def test_requested_runs_over_one_data_set_must_agree_on_how_it_is_made(tmp_path):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "b", **BASE | {"render": {"kind": "videos", "seed": 5}})
    write(tmp_path, "c", **PLUS | {"render": {"kind": "videos", "seed": 9}}, test={"run": "b"})
    assert "b.yaml: render differs from a.yaml, which uses the same data set demo" in error_of(tmp_path, "b", after="a")
    assert "b.yaml: render differs from a.yaml" in error_of(tmp_path, "c", after="a")


@pytest.mark.parametrize(
    ("options", "folds", "message"),
    [
        ({}, OFFICIAL, "unknown here but P01, P02, P03 in a.yaml"),
        ({"blocks": 2}, GIVEN | {"test_subjects": [["P01"], ["P04"]]}, "P01, P04 here but P01, P02"),
    ],
)
def test_requested_runs_over_one_data_set_must_agree_on_its_subjects(tmp_path, options, folds, message):
    write(tmp_path, "a", **own(options))
    write(tmp_path, "b", **own(options, folds))
    error = error_of(tmp_path, "b", after="a")
    assert error.startswith(f"{tmp_path}/b.yaml: folds: subjects of mine are {message}")
    assert "give one of them another dataset.name (data/raw/NAME may be a link to data/raw/mine)" in error


@pytest.mark.parametrize("options", [{}, {"blocks": 2}], ids=["subjects", "blocks"])
def test_folds_of_the_same_subjects_may_differ(tmp_path, options):
    options |= {"subjects": ["P01", "P02", "P03"]}
    requested = RequestedRuns(tmp_path)
    for number, folds in enumerate([GIVEN, OFFICIAL, {"number": 2}, {"protocol": "leave_one_out"}]):
        write(tmp_path, f"run{number}", **own(options, folds))
        assert requested[f"run{number}"].folds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"action_units": [1, 9]}}, "labels: demo has no label AU09"),
        ({"folds": {"number": 30}}, "folds.number: 30 folds of 18 subjects"),
        ({"texts": {"file": "none.yaml"}}, "texts.file: none.yaml: no such file"),
    ],
)
def test_a_mistake_of_the_data_set_folds_or_texts_names_the_file(tmp_path, changes, message):
    write(tmp_path, "broken", finetun={})
    path = write(tmp_path, "run", **BASE | changes)
    assert error_of(tmp_path, "run").startswith(f"{path}: {message}")


def test_the_rules_of_a_data_set_use_a_requested_run(tmp_path):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "variant", **BASE | {"render": {"kind": "videos", "seed": 5}})
    requested = RequestedRuns(tmp_path)
    requested["variant"]
    assert requested.over("demo").name == "variant"
    # A job inherits the environment and asks for the data set alone.
    assert RequestedRuns(tmp_path).over("demo", requested["variant"].params.crop_digest).name == "variant"
