from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.datasets import open_dataset
from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.manifest.folds import (
    Fold,
    fold_testing_all,
    fold_training_all,
    inner_split,
    make_folds,
    named_fold,
    partition_of,
)
from clef.params.schema import Params, ParamsError
from tests.datasets.opened import action_units, expressions


def bp4d(adapter: str = "bp4d", options=None, **folds) -> Dataset:
    return action_units(adapter, folds, **(options or {}))


def demo(subjects: int = 5, **folds) -> Dataset:
    """With 5 subjects: F001 to F003, M001 and M002."""
    values = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos", "subjects": subjects}, "folds": folds}
    return open_dataset(Params.model_validate(values))


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 9))
def test_every_subject_is_tested_once_and_not_trained_on_then(subjects, number, seed):
    dataset = demo(subjects, number=number, seed=seed)
    if subjects < number:
        with pytest.raises(ParamsError, match=r"folds\.number"):
            make_folds(dataset)
        return
    drawn = make_folds(dataset)
    tested = [subject for fold in drawn for subject in fold.test_subjects]
    assert len(tested) == len(set(tested)) == subjects
    for fold in drawn:
        assert set(fold.train_subjects) | set(fold.test_subjects) == set(tested)
        assert not set(fold.train_subjects) & set(fold.test_subjects)
    assert drawn == make_folds(demo(subjects, number=number, seed=seed))
    sizes = [len(fold.test_subjects) for fold in drawn]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 9))
def test_inner_split_parts_the_training_subjects_only(subjects, held_out, seed):
    train = tuple(f"F{number:03d}" for number in range(subjects))
    fold = Fold(1, train, ("M001", "M002"))
    inner = inner_split(fold, held_out, seed)
    assert sorted(inner.train_subjects + inner.test_subjects) == sorted(train)
    assert inner.train_subjects
    assert inner.test_subjects
    assert abs(len(inner.test_subjects) - held_out * subjects) <= 1
    assert inner == inner_split(fold, held_out, seed)
    assert inner.unseen_subjects == fold.unseen_subjects == ("M001", "M002")
    assert (inner.inner, fold.inner) == (True, False)
    with pytest.raises(ParamsError, match="fold 1 has 1 training subjects; expected two or more"):
        inner_split(Fold(1, ("F001",), ("F002",)), held_out, seed)


@pytest.mark.parametrize(
    ("test_subjects", "message"),
    [
        ([["F001", "F002"], ["F002", "F003", "M001", "M002"]], "F002 is in folds 0 and 1; expected every subject in"),
        ([["F001", "F001"], ["F002", "F003", "M001", "M002"]], "F001 is in fold 0 twice"),
        ([["F001"], ["F002"]], "no fold tests F003, M001, M002; expected every subject in exactly one fold"),
        ([["F001", "F0O2"], ["F003", "M001", "M002"]], "fold 0: demo has no subject F0O2; did you mean F002?"),
        ([["F001", "F002", "F003", "M001", "M002"], []], "fold 1 is empty"),
    ],
)
def test_given_folds_must_contain_every_subject_once(test_subjects, message):
    with pytest.raises(ParamsError, match=r"^folds\.test_subjects: ") as caught:
        make_folds(demo(protocol="given", test_subjects=test_subjects))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "given", "test_subjects": [["F001"], ["F002"]], "number": 3}, "test_subjects has 2 folds"),
        ({"protocol": "given", "test_subjects": [["F001"]]}, "number must be 2 or more with protocol given"),
        ({"protocol": "given", "test_subjects": None}, "protocol given and test_subjects need each other"),
        ({"protocol": "given", "test_subjects": [[1], ["F002"]]}, "subject 1 is not text; put names of digits in quot"),
        ({"protocol": "standard", "number": 4}, "protocol standard determines the number of folds; leave number out"),
        ({"protocol": "subjects", "partition": "x"}, "partition needs protocol standard"),
    ],
)
def test_settings_of_folds_must_agree(settings, message):
    with pytest.raises(ValueError, match=message):
        demo(**settings)


def test_partition_leaves_out_subjects_in_no_fold(monkeypatch):
    dataset = bp4d(protocol="standard", partition="two")
    monkeypatch.setattr(type(dataset), "partitions", {"usual": [], "two": [["F001", "F002"], ["M001"]]})
    first, second = make_folds(dataset)
    assert (first.train_subjects, first.test_subjects) == (("M001",), ("F001", "F002"))
    assert (second.train_subjects, second.test_subjects) == (("F001", "F002"), ("M001",))


def test_published_folds_of_some_subjects():
    dataset = bp4d(options={"subjects": ["F001", "F003", "F004"]}, protocol="standard")
    assert partition_of(dataset) == "three-fold"
    made = make_folds(dataset)
    assert [fold.test_subjects for fold in made] == [("F001",), ("F003",), ("F004",)]
    message = r"folds\.partition: fold 2 of three-fold tests none of the run's 2 subjects"
    with pytest.raises(ParamsError, match=message):
        make_folds(bp4d(options={"subjects": ["F001", "F003"]}, protocol="standard"))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (bp4d(protocol="standard", partition="threefold"), "partition threefold; did you mean three-fold?"),
        (bp4d(protocol="standard", partition="x"), "bp4d has no partition x; expected one of three-fold"),
        (demo(protocol="standard"), "demo has no published folds; expected subjects, leave_one_out, given or official"),
    ],
)
def test_folds_that_the_data_set_does_not_have_are_refused(dataset, message):
    with pytest.raises(ParamsError) as caught:
        make_folds(dataset)
    assert message in str(caught.value)


def test_leave_one_out_tests_every_subject_alone():
    dataset = bp4d(protocol="leave_one_out")
    for number, (subject, fold) in enumerate(zip(sorted(dataset.subjects()), make_folds(dataset), strict=True)):
        assert (fold.number, fold.test_subjects) == (number, (subject,))
        assert set(fold.train_subjects) == set(dataset.subjects()) - {subject}


def test_fold_all_trains_on_every_subject():
    dataset = bp4d(protocol="standard")
    fold = fold_training_all(dataset)
    assert (fold.number, fold.train_subjects, fold.test_subjects) == ("all", tuple(dataset.subjects()), ())
    assert not fold.by_split
    assert named_fold(dataset, "all", "run") == fold
    assert named_fold(dataset, "2", "run") == make_folds(dataset)[2]
    for name in ("3", "-1", "first"):
        with pytest.raises(ClefError, match=f"--fold: run has no fold {name}; expected 0 to 2, or all"):
            named_fold(dataset, name, "run")
    with pytest.raises(ParamsError, match=r"folds\.protocol: rafdb has no subjects to split; expected official"):
        fold_training_all(expressions("rafdb"))


def test_run_that_is_tested_on_another_data_set_has_only_the_fold_all():
    dataset = open_dataset(Params.model_validate({"dataset": {"adapter": "bp4d"}, "test": {"run": "disfa"}}))
    assert make_folds(dataset) == [fold_training_all(dataset)]
    other = fold_testing_all(bp4d("disfa", protocol="standard"))
    assert (len(other.test_subjects), other.train_subjects) == (27, ())
    message = "--fold: run has no fold 0; expected all: the run is tested on another data set"
    with pytest.raises(ClefError, match=message):
        named_fold(dataset, "0", "run")


@pytest.mark.parametrize("number", [2, 3, 5])
def test_every_activity_is_unseen_in_one_fold(number):
    dataset = demo(number=number, activities="unseen")
    folds, plain = make_folds(dataset), make_folds(demo(number=number))
    assert sorted(activity for fold in folds for activity in fold.unseen_activities) == sorted(dataset.activities)
    for fold in folds:
        assert fold.unseen_descriptions == tuple(dataset.activities[activity] for activity in fold.unseen_activities)
    assert [replace(fold, unseen_activities=(), unseen_descriptions=()) for fold in folds] == plain
    assert inner_split(folds[0], 0.5, 0).unseen_activities == folds[0].unseen_activities


def test_activities_with_one_description_are_left_out_together(monkeypatch):
    dataset = demo(number=2, activities="unseen")
    monkeypatch.setattr(dataset, "activities", {"T1": "joke", "T2": "pain", "T3": "joke", "T4": "smell"})
    assert [fold.unseen_activities for fold in make_folds(dataset)] == [("T1", "T3", "T4"), ("T2",)]


def test_too_few_activities_cannot_be_left_out(monkeypatch):
    dataset = demo(number=2, activities="unseen")
    monkeypatch.setattr(dataset, "activities", {"T1": "joke", "T2": "pain"})
    with pytest.raises(ParamsError, match="has 2 activities; expected 3 or more"):
        make_folds(dataset)
