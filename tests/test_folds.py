import pytest
from hypothesis import given
from hypothesis import strategies as st

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.folds import Fold, inner_split, make_folds, require_disjoint
from clef.params import Params, ParamsError


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
    assert inner.never_seen == fold.never_seen == ("M001", "M002")
    assert inner.inner
    assert not fold.inner


def test_an_inner_split_of_one_subject_is_refused():
    with pytest.raises(ParamsError, match="fold 2 has 1 training subjects; expected two or more"):
        inner_split(Fold(2, ("F001",), ("F002",)), 0.5, 0)
