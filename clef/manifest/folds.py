"""Folds: the training and test subjects of a run, and the check that no subject is in both."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.params.did_you_mean import suggestion
from clef.params.schema import ParamsError

FoldName = int | Literal["all"]
"""A number from 0, or `all` for training on every subject of a data set, with tests on another data set, if any."""


@dataclass(frozen=True)
class Fold:
    """One split into training and test subjects, or the data set's official split if it has no subjects."""

    number: FoldName
    train_subjects: tuple[str, ...]
    test_subjects: tuple[str, ...]
    outer_test_subjects: tuple[str, ...] = ()
    """For an inner split, the test subjects of the fold that it belongs to."""
    unseen_activities: tuple[str, ...] = ()
    """Activities that are left out of training, and the only ones tested; empty if all are in both."""
    unseen_descriptions: tuple[str, ...] = ()
    """Keys of their descriptions, by which stage 1 also leaves them out of other data sets."""

    @property
    def inner(self) -> bool:
        """True for a split of a fold's training subjects."""
        return bool(self.outer_test_subjects)

    @property
    def outer(self) -> "Fold":
        """The fold that an inner split belongs to; any other fold itself."""
        if not self.inner:
            return self
        train = tuple(sorted(self.train_subjects + self.test_subjects))
        return replace(self, train_subjects=train, test_subjects=self.outer_test_subjects, outer_test_subjects=())

    @property
    def unseen_subjects(self) -> tuple[str, ...]:
        """Subjects that no training of the fold may see, including stage 1."""
        return self.outer_test_subjects or self.test_subjects

    @property
    def by_split(self) -> bool:
        """True if the official split decides."""
        return not self.test_subjects and not self.train_subjects


def make_folds(dataset: Dataset) -> list[Fold]:
    """The folds of a run, numbered from 0; or the fold `all` alone, if the run is tested on another data set."""
    folds = _folds_of_subjects(dataset)
    return _leave_activities_out(folds, dataset) if dataset.params.folds.activities == "unseen" else folds


def _leave_activities_out(folds: list[Fold], dataset: Dataset) -> list[Fold]:
    """Give each fold every n-th activity, where n is the number of folds, to test on and not to train on.

    Activities with one description count as one.
    """
    activities = sorted(dataset.activities)
    described = list(dict.fromkeys(dataset.activities[activity] for activity in activities))
    if len(described) < max(len(folds), 3):
        raise ParamsError(
            f"folds.activities: unseen: {dataset.name} has {len(described)} activities; "
            f"expected {max(len(folds), 3)} or more: one for each fold, and two to train on"
        )
    split = []
    for number, fold in enumerate(folds):
        keys = tuple(described[number :: len(folds)])
        unseen = tuple(activity for activity in activities if dataset.activities[activity] in keys)
        split.append(replace(fold, unseen_activities=unseen, unseen_descriptions=keys))
    return split


def _folds_of_subjects(dataset: Dataset) -> list[Fold]:
    settings = dataset.params.folds
    if dataset.params.test is not None:
        return [fold_training_all(dataset) if dataset.subjects() else Fold("all", (), ())]
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
    assert settings.number is not None, "the schema requires a number of folds"
    if len(subjects) < settings.number:
        raise ParamsError(
            f"folds.number: {settings.number} folds of {len(subjects)} subjects; expected at least one each"
        )
    shuffled = random.Random(settings.seed).sample(subjects, len(subjects))
    return _folds([shuffled[number :: settings.number] for number in range(settings.number)], subjects)


def fold_training_all(dataset: Dataset) -> Fold:
    """The fold `all` with every subject in training, for a data set with subjects."""
    return Fold("all", tuple(_subjects(dataset)), ())


def fold_testing_all(dataset: Dataset) -> Fold:
    """The fold `all` with every subject, or the official test split, in the test of a run over another data set."""
    return Fold("all", (), tuple(sorted(dataset.subjects())))


def named_fold(dataset: Dataset, name: str, run: str) -> Fold:
    """Find a fold of `run` by its name on the command line: a number, or `all`."""
    folds = {str(fold.number): fold for fold in make_folds(dataset)}
    if name == "all" and name not in folds:
        return fold_training_all(dataset)
    if name not in folds:
        known = f"0 to {len(folds) - 1}, or all" if "all" not in folds else "all: the run is tested on another data set"
        raise ClefError(f"--fold: {run} has no fold {name}; expected {known}")
    return folds[name]


def partition_of(dataset: Dataset) -> str | None:
    """Name of the published partition that a run uses; None if it uses other folds."""
    settings = dataset.params.folds
    if settings.protocol != "standard":
        return None
    adapter = dataset.params.dataset.adapter
    names = list(dataset.partitions)
    if not names:
        raise ParamsError(
            f"folds.protocol: {adapter} has no published folds; expected subjects, leave_one_out, given or official"
        )
    if settings.partition is None:
        return names[0]
    if settings.partition not in names:
        hint = suggestion(settings.partition, names)
        raise ParamsError(f"folds.partition: {adapter} has no partition {settings.partition}; {hint}")
    return settings.partition


def _subjects(dataset: Dataset) -> list[str]:
    subjects = sorted(dataset.subjects())
    if not subjects:
        raise ParamsError(f"folds.protocol: {dataset.name} has no subjects to split; expected official")
    return subjects


def _published_folds(dataset: Dataset, subjects: list[str]) -> list[Fold]:
    """The published test subjects that the run uses. Subjects in no published fold are left out."""
    name = partition_of(dataset)
    assert name is not None, "the protocol is standard"
    tested = [[subject for subject in fold if subject in subjects] for fold in dataset.partitions[name]]
    empty = [number for number, fold in enumerate(tested) if not fold]
    if empty:
        raise ParamsError(
            f"folds.partition: fold {empty[0]} of {name} tests none of the run's {len(subjects)} subjects; "
            "expected one or more: use more subjects, or protocol subjects"
        )
    return _folds(tested, sorted(subject for fold in tested for subject in fold))


def _folds(tested: list[list[str]], subjects: list[str]) -> list[Fold]:
    return [
        Fold(number, tuple(subject for subject in subjects if subject not in part), tuple(sorted(part)))
        for number, part in enumerate(tested)
    ]


def _require_partition(given: list[list[str]], subjects: list[str], dataset: str) -> None:
    """Refuse given folds unless every subject is in exactly one of them."""
    where = "folds.test_subjects"
    for number, fold in enumerate(given):
        if not fold:
            raise ParamsError(f"{where}: fold {number} is empty; expected one subject or more in each")
        for subject in fold:
            if subject not in subjects:
                hint = suggestion(subject, subjects)
                raise ParamsError(f"{where}: fold {number}: {dataset} has no subject {subject}; {hint}")
    times = Counter(subject for fold in given for subject in fold)
    for subject in subjects:
        if times[subject] > 1:
            folds = [str(number) for number, fold in enumerate(given) if subject in fold]
            which = f"folds {' and '.join(folds)}" if len(folds) > 1 else f"fold {folds[0]} twice"
            raise ParamsError(f"{where}: {subject} is in {which}; expected every subject in exactly one fold")
    left_out = [subject for subject in subjects if not times[subject]]
    if left_out:
        raise ParamsError(f"{where}: no fold tests {', '.join(left_out)}; expected every subject in exactly one fold")


def inner_split(fold: Fold, held_out: float, seed: int) -> Fold:
    """Hold out a share of the training subjects of a fold, to choose thresholds on them; at least one, and not all."""
    train = fold.train_subjects
    if len(train) < 2:
        raise ParamsError(f"tune: fold {fold.number} has {len(train)} training subjects; expected two or more to split")
    number = min(max(round(held_out * len(train)), 1), len(train) - 1)
    drawn = tuple(sorted(random.Random(f"inner split {seed} {fold.number}").sample(train, number)))
    kept = tuple(subject for subject in train if subject not in drawn)
    return replace(fold, train_subjects=kept, test_subjects=drawn, outer_test_subjects=fold.test_subjects)


def require_disjoint(train: Collection[str | None], test: Collection[str | None]) -> None:
    """Refuse a training set that shares a subject with its test set."""
    shared = sorted({subject for subject in train if subject is not None} & set(test))
    if shared:
        raise ClefError(
            f"folds: subjects {', '.join(map(str, shared))} are in training and in test; expected none in both"
        )
