import pytest

from clef.comparison.comparability import align
from clef.comparison.finished_run import read_run
from clef.errors import ClefError
from tests.comparison.conftest import two_runs


@pytest.fixture
def pair():
    return two_runs(0, subjects=4, labels=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.summary.update(dataset="disfa"), "data set bp4d against data set disfa"),
        (lambda run: run.summary.update(kind="expressions"), "labels action_units against labels expressions"),
        (lambda run: run.summary.update(resampled="sequences"), "units subjects against units sequences"),
        (lambda run: run.summary.update(pooled=True), "a mean over folds against F1 from the pooled counts"),
        (lambda run: run.grid[0].pop(1), "folds 0, 1 against folds 0"),
        (lambda run: run.summary["folds"][1].update(subjects=["M009"]), "fold 1 has different test subjects"),
        (lambda run: run.summary.update(labels=["AU98", "AU99"]), "no label that all of them predict"),
        (lambda run: run.grid[0][1]["counts"].pop(), r"fold 1 has different test subjects \(F103\)"),
        (
            lambda run: run.grid[0][1]["counts"][2]["tn"].__setitem__(1, 999),
            "different test frames .fold 1, F102, AU02: ",
        ),
    ],
)
def test_runs_with_different_test_data_are_refused(pair, change, message):
    align(pair)
    change(pair[1])
    with pytest.raises(ClefError, match=rf"^first and other cannot be compared: {message}.*; expected the same"):
        align(pair)


def test_subjects_without_a_frame_of_the_common_labels_are_ignored(pair):
    zeros = {cell: [0, 0] for cell in ("tp", "fp", "fn", "tn")}
    pair[1].grid[0][0]["counts"].append({"unit": "F000", "number": 1, **zeros})
    align(pair)


def test_pooled_folds_are_one(pair):
    for run in pair:
        run.summary["pooled"] = True
    _, (((units,),), _) = align(pair)
    assert units.names == ("F000", "F001", "F002", "F003", "F100", "F101", "F102", "F103")


def test_images_are_compared_by_their_number_in_each_class(finish, tmp_path):
    finish("first", kind="expressions")
    finish("other", kind="expressions", skip=1)
    runs = [read_run(name, tmp_path / "results") for name in ("first", "other")]
    align(runs)
    runs[1].grid[0][0]["counts"][0]["number"] += 1
    with pytest.raises(ClefError, match=r"different test frames \(fold 0, happiness: present in"):
        align(runs)
    runs[1].summary["labels"] = ["happiness", "sadness"]
    with pytest.raises(ClefError, match="expressions happiness, sadness, fear against expressions happiness, sadness;"):
        align(runs)
