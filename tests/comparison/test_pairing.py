import numpy as np
import pytest

from clef.comparison.finished import read_run
from clef.comparison.pairing import common_labels, require_same_frames, units_of
from clef.errors import ClefError
from tests.comparison.conftest import edit, found, people, run_of


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    shown = {fold: people(rng, 4, 2) for fold in (0, 1)}
    return [
        run_of(name, {0: {fold: found(rng, shown[fold], np.full((4, 2), 0.6)) for fold in shown}})
        for name in ("first", "other")
    ]


def check(pair):
    require_same_frames(*pair, common_labels(pair))


def test_runs_on_the_same_frames_can_be_compared(pair):
    check(pair)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.summary.update(dataset="disfa"), "data set bp4d against disfa"),
        (lambda run: run.summary.update(kind="expressions"), "labels action_units against expressions"),
        (lambda run: run.summary.update(resampled="sequences"), "units subjects against sequences"),
        (lambda run: run.grid[0].pop(1), "2 folds against 1"),
        (lambda run: run.summary["folds"][1].update(subjects=["M009"]), "fold 1 has other test subjects"),
        (lambda run: run.summary.update(labels=["AU98", "AU99"]), "no label that all predict"),
        (lambda run: run.grid[0][1]["counts"].pop(), r"fold 1 has other test subjects \(F103\)"),
        (lambda run: run.grid[0][1]["counts"][2]["tn"].__setitem__(1, 999), "other test frames .fold 1, F102, AU02: "),
    ],
)
def test_runs_that_were_tested_otherwise_cannot(pair, change, message):
    change(pair[1])
    with pytest.raises(ClefError, match=rf"^first and other cannot be compared: .*{message}") as stopped:
        check(pair)
    assert "\n" not in str(stopped.value)


def test_a_subject_without_a_frame_of_the_common_labels_does_not_count(pair):
    """A run over more labels lists subjects who are labelled in those only."""
    zeros = {cell: [0, 0] for cell in ("tp", "fp", "fn", "tn")}
    pair[1].grid[0][0]["counts"].append({"unit": "F000", "number": 1, **zeros})
    check(pair)


def test_folds_that_are_pooled_are_one(pair):
    with_one_mean, with_counts = pair
    with_counts.summary["pooled"] = True
    with pytest.raises(ClefError, match="F1 from the counts of all folds together against a mean over folds"):
        check(pair)
    with_one_mean.summary["pooled"] = True
    check(pair)
    ((units,),) = units_of(with_counts, ["AU01"])
    assert units.names == ("F000", "F001", "F002", "F003", "F100", "F101", "F102", "F103")


def test_units_stand_in_the_order_of_their_names(pair):
    pair[1].grid[0][0]["counts"].reverse()
    assert units_of(pair[1], ["AU01"])[0][0].names == ("F000", "F001", "F002", "F003")
    check(pair)


def test_images_are_the_same_if_there_are_as_many_of_each_class(finish, tmp_path):
    for number, name in enumerate(("first", "other")):
        finish(name, kind="expressions", skip=number)
    runs = [read_run(name, tmp_path / "results") for name in ("first", "other")]
    check(runs)
    runs[1].grid[0][0]["counts"][0]["number"] += 1
    with pytest.raises(ClefError, match=r"other test frames \(fold 0, happiness: present in"):
        check(runs)


def test_other_expressions_share_out_probability_otherwise(finish, tmp_path):
    for name in ("first", "other"):
        folder = finish(name, kind="expressions")
    edit(folder / "summary.json", lambda summary: summary.update(labels=["happiness", "sadness"]))
    runs = [read_run(name, tmp_path / "results") for name in ("first", "other")]
    with pytest.raises(ClefError, match="expressions happiness, sadness, fear against happiness, sadness"):
        common_labels(runs)
