"""Who is trained on and who is tested, fold by fold, and the guard that keeps the two apart."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.params.schema import ParamsError
from clef.params.suggestion import suggestion

FoldName = int | Literal["all"]
"""A number from 0, or `all` for a training on every subject of a data set, which is tested elsewhere if at all."""


@dataclass(frozen=True)
class Fold:
    """One train and test split, by subject, or by the data set's own split where there are no subjects."""

    number: FoldName
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
        return not self.test_subjects and not self.train_subjects


def make_folds(dataset: Dataset) -> list[Fold]:
    """The folds of a run, numbered from 0; the fold `all` alone, if it is tested on another data set.

    Raises:
        ParamsError: The data set has no subjects to split, or fewer than there are folds; or no published folds of that
            name; or the folds given leave a subject out, have one twice, or one that the data set has not.
    """
    settings = dataset.params.folds
    if dataset.params.test is not None:
        return [whole(dataset) if dataset.subjects() else Fold("all", (), ())]
    if settings.protocol == "official":
        return [Fold(0, (), ())]
    subjects = _subjects(dataset)
    if settings.test_subjects is not None:
        _require_partition(settings.test_subjects, subjects, dataset.name)
        return _folds(settings.test_subjects, subjects)
    if settings.protocol == "standard":
        return _published_folds(dataset, subjects)
    if settings.protocol == "leave_one_out":
        return _folds([[subject] for subject in subjects], subjects)
    assert settings.number is not None, "the schema counts drawn folds"
    if len(subjects) < settings.number:
        raise ParamsError(
            f"folds.number: {settings.number} folds of {len(subjects)} subjects; expected at least one each"
        )
    shuffled = random.Random(settings.seed).sample(subjects, len(subjects))
    return _folds([shuffled[number :: settings.number] for number in range(settings.number)], subjects)


def whole(dataset: Dataset) -> Fold:
    """The fold `all`: every subject is trained on.

    Raises:
        ParamsError: The data set has no subjects.
    """
    return Fold("all", tuple(_subjects(dataset)), ())


def everybody_tested(dataset: Dataset) -> Fold:
    """Whom a run tests that was trained on another data set: every subject, or the official test split."""
    return Fold("all", (), tuple(sorted(dataset.subjects())))


def named_fold(dataset: Dataset, name: str, run: str) -> Fold:
    """The fold of a run that is called so: one of its own, or `all`.

    Args:
        dataset: The run's.
        name: As on the command line.
        run: Its name, for the message.

    Raises:
        ClefError: There is none.
    """
    folds = {str(fold.number): fold for fold in make_folds(dataset)}
    if name == "all" and name not in folds:
        return whole(dataset)
    if name not in folds:
        known = f"0 to {len(folds) - 1}, or all" if "all" not in folds else "all: the run is tested on another data set"
        raise ClefError(f"--fold: {run} has no fold {name}; expected {known}")
    return folds[name]


def partition_of(dataset: Dataset) -> str | None:
    """Name of the published partition that a run's folds are; None for any others.

    Raises:
        ParamsError: The data set has no such partition.
    """
    settings = dataset.params.folds
    if settings.protocol != "standard":
        return None
    names = list(dataset.partitions)
    if not names:
        raise ParamsError(
            f"folds.protocol: nobody published folds of {dataset.params.dataset.adapter}; expected subjects, "
            "leave_one_out, given or official"
        )
    if settings.partition is None:
        return names[0]
    if settings.partition not in names:
        raise ParamsError(
            f"folds.partition: {dataset.params.dataset.adapter} has no partition {settings.partition}; "
            f"{suggestion(settings.partition, names)}"
        )
    return settings.partition


def _subjects(dataset: Dataset) -> list[str]:
    subjects = sorted(dataset.subjects())
    if not subjects:
        raise ParamsError(f"folds.protocol: {dataset.name} has no subjects to split; expected official")
    return subjects


def _published_folds(dataset: Dataset, subjects: list[str]) -> list[Fold]:
    """The published test subjects, as far as the copy has them; who is in no fold takes no part."""
    name = partition_of(dataset)
    assert name is not None, "the protocol is standard"
    tested = [[subject for subject in fold if subject in subjects] for fold in dataset.partitions[name]]
    empty = [number for number, fold in enumerate(tested) if not fold]
    if empty:
        raise ParamsError(
            f"folds.partition: fold {empty[0]} of {name} tests nobody of the run's {len(subjects)} subjects; "
            "expected one or more: take more subjects, or protocol subjects"
        )
    return _folds(tested, sorted(subject for fold in tested for subject in fold))


def _folds(tested: list[list[str]], subjects: list[str]) -> list[Fold]:
    return [
        Fold(number, tuple(subject for subject in subjects if subject not in part), tuple(sorted(part)))
        for number, part in enumerate(tested)
    ]


def _require_partition(given: list[list[str]], subjects: list[str], dataset: str) -> None:
    where = "folds.test_subjects"
    for number, fold in enumerate(given):
        if not fold:
            raise ParamsError(f"{where}: fold {number} is empty; expected one subject or more in each")
        for subject in fold:
            if subject not in subjects:
                raise ParamsError(
                    f"{where}: fold {number}: {dataset} has no subject {subject}; {suggestion(subject, subjects)}"
                )
    times = Counter(subject for fold in given for subject in fold)
    for subject in subjects:
        if times[subject] > 1:
            folds = [str(number) for number, fold in enumerate(given) if subject in fold]
            place = f"folds {' and '.join(folds)}" if len(folds) > 1 else f"fold {folds[0]} twice"
            raise ParamsError(f"{where}: {subject} is in {place}; expected every subject in exactly one fold")
    left_out = [subject for subject in subjects if not times[subject]]
    if left_out:
        raise ParamsError(f"{where}: no fold tests {', '.join(left_out)}; expected every subject in exactly one fold")


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
