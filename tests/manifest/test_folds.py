import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest.folds import (
    Fold,
    inner_split,
    make_folds,
    named_fold,
    partition_of,
    require_disjoint,
    fold_testing_all,
    fold_training_all,
)
from clef.params.schema import Params, ParamsError


def given_folds(test_subjects, **settings):
    params = Params.model_validate(
        {
            "dataset": {"adapter": "demo"},
            "render": {"kind": "videos", "subjects": 5},  # F001 to F003, M001 and M002
            "folds": {"protocol": "given", "test_subjects": test_subjects, **settings},
        }
    )
    return make_folds(open_dataset(params))


def folds(subjects: int, number: int, seed: int = 0):
    params = Params.model_validate(
        {
            "dataset": {"adapter": "demo"},
            "render": {"kind": "videos", "subjects": subjects},
            "folds": {"number": number, "seed": seed},
        }
    )
    return make_folds(open_dataset(params))


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 9))
def test_every_subject_is_tested_once_and_never_trained_on_then(subjects, number, seed):
    if subjects < number:
        with pytest.raises(ParamsError, match=r"folds\.number"):
            folds(subjects, number, seed)
        return
    drawn = folds(subjects, number, seed)
    tested = [subject for fold in drawn for subject in fold.test_subjects]
    assert len(tested) == len(set(tested)) == subjects
    for fold in drawn:
        assert set(fold.train_subjects) | set(fold.test_subjects) == set(tested)
        assert not set(fold.train_subjects) & set(fold.test_subjects)
    sizes = [len(fold.test_subjects) for fold in drawn]
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_draws_the_folds():
    assert folds(18, 3, seed=1) == folds(18, 3, seed=1)
    assert folds(18, 3, seed=1) != folds(18, 3, seed=2)


def test_a_shared_subject_is_refused_by_name():
    require_disjoint(["F001", None], ["M001", None])
    with pytest.raises(ClefError, match="F001 are in training and in test"):
        require_disjoint(["F001", "F002"], ["F001"])


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 9))
def test_an_inner_split_parts_the_training_subjects_and_touches_no_test_subject(subjects, held_out, seed):
    train = tuple(f"F{number:03d}" for number in range(subjects))
    fold = Fold(1, train, ("M001", "M002"))
    inner = inner_split(fold, held_out, seed)
    assert sorted(inner.train_subjects + inner.test_subjects) == sorted(train)
    assert inner.train_subjects
    assert inner.test_subjects
    assert abs(len(inner.test_subjects) - held_out * subjects) <= 1
    assert inner == inner_split(fold, held_out, seed)
    assert inner.unseen_subjects == fold.unseen_subjects == ("M001", "M002")
    assert inner.inner
    assert not fold.inner


def test_an_inner_split_of_one_subject_is_refused():
    with pytest.raises(ParamsError, match="fold 2 has 1 training subjects; expected two or more"):
        inner_split(Fold(2, ("F001",), ("F002",)), 0.5, 0)


def test_given_folds_are_taken_as_they_are_and_counted():
    first, second = given_folds([["M001", "F002"], ["F003", "F001", "M002"]])
    assert (first.number, second.number) == (0, 1)
    assert first.test_subjects == second.train_subjects == ("F002", "M001")
    assert second.test_subjects == first.train_subjects == ("F001", "F003", "M002")


@pytest.mark.parametrize(
    ("test_subjects", "message"),
    [
        (
            [["F001", "F002"], ["F002", "F003", "M001", "M002"]],
            "F002 is in folds 0 and 1; expected every subject in exac",
        ),
        ([["F001", "F001"], ["F002", "F003", "M001", "M002"]], "F001 is in fold 0 twice"),
        ([["F001"], ["F002", "F003", "M002"]], "no fold tests M001; expected every subject in exactly one fold"),
        ([["F001"], ["F002"]], "no fold tests F003, M001, M002;"),
        ([["F001", "F0O2"], ["F003", "M001", "M002"]], "fold 0: demo has no subject F0O2; did you mean F002?"),
        ([["F001", "xyz"], ["F002"]], "fold 0: demo has no subject xyz; expected one of F001, F002, F003, M001, M002"),
        ([["F001", "F002", "F003", "M001", "M002"], []], "fold 1 is empty"),
    ],
)
def test_given_folds_that_do_not_part_the_subjects_are_one_line(test_subjects, message):
    with pytest.raises(ParamsError, match=r"^folds\.test_subjects: ") as caught:
        given_folds(test_subjects)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_subjects": [["F001"], ["F002"]], "number": 3}, "number is 3, test_subjects has 2 folds"),
        ({"test_subjects": [["F001"]]}, "number must be 2 or more with protocol given"),
        ({"test_subjects": None}, "protocol given and test_subjects go together"),
        (
            {"test_subjects": [["F001"], ["F002"]], "protocol": "subjects"},
            "protocol given and test_subjects go together",
        ),
        ({"test_subjects": [[1], ["F002"]]}, "subject 1 is no text; put names of digits in quotes"),
    ],
)
def test_given_folds_must_agree_with_the_rest(settings, message):
    with pytest.raises(ValueError, match=message):
        given_folds(**settings)


def adapter(name="bp4d", options=None, **settings):
    dataset = {"adapter": name, "options": options or {}}
    labels = {"action_units": [1, 2, 4]}
    return open_dataset(Params.model_validate({"dataset": dataset, "labels": labels, "folds": settings}))


def test_published_folds_are_taken_by_their_subjects():
    dataset = adapter(protocol="standard")
    made = make_folds(dataset)
    assert partition_of(dataset) == next(iter(dataset.partitions))
    assert [set(fold.test_subjects) for fold in made] == [set(fold) for fold in dataset.partitions["three-fold"]]
    for fold in made:
        assert set(fold.train_subjects) | set(fold.test_subjects) == set(dataset.subjects())
        assert not set(fold.train_subjects) & set(fold.test_subjects)


def test_a_named_partition_leaves_out_whom_it_has_in_no_fold(monkeypatch):
    dataset = adapter(protocol="standard", partition="two")
    monkeypatch.setattr(type(dataset), "partitions", {"usual": [], "two": [["F001", "F002"], ["M001"]]})
    first, second = make_folds(dataset)
    assert (first.train_subjects, first.test_subjects) == (("M001",), ("F001", "F002"))
    assert (second.train_subjects, second.test_subjects) == (("F001", "F002"), ("M001",))


def test_published_folds_of_a_part_of_the_subjects():
    made = make_folds(adapter(options={"subjects": ["F001", "F003", "F004"]}, protocol="standard"))
    assert [fold.test_subjects for fold in made] == [("F001",), ("F003",), ("F004",)]
    with pytest.raises(
        ParamsError, match=r"folds\.partition: fold 2 of three-fold tests nobody of the run's 2 subjects"
    ):
        make_folds(adapter(options={"subjects": ["F001", "F003"]}, protocol="standard"))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "bp4d",
            {"partition": "threefold"},
            "folds.partition: bp4d has no partition threefold; did you mean three-fold?",
        ),
        ("bp4d", {"partition": "x"}, "folds.partition: bp4d has no partition x; expected one of three-fold"),
    ],
)
def test_an_unknown_partition_is_told_with_the_known_ones(name, settings, message):
    with pytest.raises(ParamsError) as caught:
        make_folds(adapter(name, protocol="standard", **settings))
    assert str(caught.value) == message


def test_a_data_set_without_published_folds_has_no_standard():
    params = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "folds": {"protocol": "standard"}}
    with pytest.raises(ParamsError, match=r"folds\.protocol: nobody published folds of demo; expected subjects,"):
        make_folds(open_dataset(Params.model_validate(params)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "standard", "number": 4}, "protocol standard determines the number of folds; leave number out"),
        ({"protocol": "leave_one_out", "number": 3}, "protocol leave_one_out determines the number of folds"),
        ({"protocol": "subjects", "partition": "x"}, "partition goes with protocol standard"),
    ],
)
def test_settings_of_another_protocol_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        adapter(**settings)


def test_leave_one_out_tests_everybody_alone():
    made = make_folds(adapter(protocol="leave_one_out"))
    assert [fold.number for fold in made] == list(range(41))
    assert all(len(fold.test_subjects) == 1 and len(fold.train_subjects) == 40 for fold in made)
    assert len({fold.test_subjects for fold in made}) == 41


def test_the_fold_all_trains_on_everybody_and_tests_nobody():
    dataset = adapter(protocol="standard")
    fold = fold_training_all(dataset)
    assert (fold.number, fold.train_subjects, fold.test_subjects) == ("all", tuple(dataset.subjects()), ())
    assert not fold.by_split
    assert named_fold(dataset, "all", "run") == fold
    assert named_fold(dataset, "2", "run") == make_folds(dataset)[2]
    for name in ("3", "-1", "first"):
        with pytest.raises(ClefError, match=f"--fold: run has no fold {name}; expected 0 to 2, or all"):
            named_fold(dataset, name, "run")


def test_a_run_that_is_everybody_tested_has_the_fold_all_alone():
    params = {"dataset": {"adapter": "bp4d"}, "test": {"run": "disfa"}, "tune": None}
    dataset = open_dataset(Params.model_validate(params))
    assert make_folds(dataset) == [fold_training_all(dataset)]
    other = fold_testing_all(adapter("disfa", protocol="standard"))
    assert (len(other.test_subjects), other.train_subjects) == (27, ())
    with pytest.raises(
        ClefError, match="--fold: run has no fold 0; expected all: the run is tested on another data set"
    ):
        named_fold(dataset, "0", "run")


def test_a_data_set_without_subjects_has_no_fold_all():
    params = {"dataset": {"adapter": "rafdb"}, "labels": {"kind": "expressions", "expressions": ["fear", "anger"]}}
    with pytest.raises(ParamsError, match=r"folds\.protocol: rafdb has no subjects"):
        fold_training_all(open_dataset(Params.model_validate(params)))


def test_folds_that_are_not_given_are_not_in_what_makes_a_training_stale():
    params = Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}})
    assert set(params.tracked("folds")) == {"protocol", "number", "seed"}


def test_a_data_set_without_subjects_has_no_folds_by_subject():
    params = {
        "dataset": {"adapter": "demo_expr"},
        "render": {"kind": "stills"},
        "labels": {"kind": "expressions", "expressions": ["neutral", "fear"]},
    }
    with pytest.raises(ParamsError, match=r"folds\.protocol: demo_expr has no subjects to split; expected official"):
        make_folds(open_dataset(Params.model_validate(params)))
