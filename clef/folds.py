"""Who is trained on and who is tested, fold by fold, and the guard that keeps the two apart."""

import random
from collections.abc import Collection
from dataclasses import dataclass

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.params import ParamsError


@dataclass(frozen=True)
class Fold:
    """One train and test split, by subject, or by the data set's own split where there are no subjects."""

    number: int
    train_subjects: tuple[str, ...]
    test_subjects: tuple[str, ...]
    outer_test_subjects: tuple[str, ...] = ()
    """Of an inner split: the test subjects of the fold that it lies within."""

    @property
    def inner(self) -> bool:
        """True for a split of a fold's training subjects."""
        return bool(self.outer_test_subjects)

    @property
    def never_seen(self) -> tuple[str, ...]:
        """Whom no training of the fold has seen, stage 1 included."""
        return self.outer_test_subjects or self.test_subjects

    @property
    def by_split(self) -> bool:
        """True where the official split decides."""
        return not self.test_subjects


def make_folds(dataset: Dataset) -> list[Fold]:
    """The folds of a run, numbered from 0.

    Raises:
        ParamsError: The data set has no subjects to split, or fewer than there are folds.
    """
    settings = dataset.params.folds
    if settings.protocol == "official":
        return [Fold(0, (), ())]
    subjects = sorted(dataset.subjects())
    if len(subjects) < settings.number:
        raise ParamsError(
            f"folds.number: {settings.number} folds of {len(subjects)} subjects; expected at least one each"
        )
    shuffled = random.Random(settings.seed).sample(subjects, len(subjects))
    parts = [sorted(shuffled[number :: settings.number]) for number in range(settings.number)]
    return [Fold(number, tuple(s for s in subjects if s not in part), tuple(part)) for number, part in enumerate(parts)]


def inner_split(fold: Fold, held_out: float, seed: int) -> Fold:
    """Hold some of a fold's training subjects out of training, to choose thresholds on them.

    Args:
        fold: A fold by subject.
        held_out: Share of its training subjects; at least one is held out, and one kept.
        seed: Draws them.

    Raises:
        ParamsError: The fold has fewer than two training subjects.
    """
    train = fold.train_subjects
    if len(train) < 2:
        raise ParamsError(f"tune: fold {fold.number} has {len(train)} training subjects; expected two or more to split")
    number = min(max(round(held_out * len(train)), 1), len(train) - 1)
    drawn = tuple(sorted(random.Random(f"inner split {seed} {fold.number}").sample(train, number)))
    return Fold(fold.number, tuple(s for s in train if s not in drawn), drawn, fold.test_subjects)


def require_disjoint(train: Collection[str | None], test: Collection[str | None]) -> None:
    """Refuse a training set that shares a subject with its test set.

    Raises:
        ClefError: With the subjects in both.
    """
    shared = sorted({subject for subject in train if subject is not None} & set(test))
    if shared:
        raise ClefError(
            f"folds: subjects {', '.join(map(str, shared))} are in training and in test; expected none in both"
        )
