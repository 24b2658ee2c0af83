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
