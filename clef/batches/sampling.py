"""Which frames make up a batch, as a pure function of a seed and a step.

A resumed run therefore only needs the number of the step to continue with the same batches.
"""

import functools
from collections.abc import Iterator
from math import gcd

import numpy as np

from clef.batches.randomness import integers, permutation
from clef.errors import ClefError

_order = functools.lru_cache(maxsize=16)(permutation)  # consecutive steps need the same long permutations


class EpochBatches:
    """Batches for stage 2: each sample once per epoch, in a new order.

    Args:
        samples: Number of samples.
        batch_size: Samples in a batch. With fewer samples, all of them are the only batch of an epoch. Otherwise each
            epoch drops a different remainder.
        seed: Seed of the orders.
        classes: Class index of each sample, (sample,), to draw every class equally often. The samples of a class then
            come in shuffled rounds: those of a rare class several times per epoch, those of a frequent one not in every
            epoch.

    Attributes:
        steps_per_epoch: Batches in an epoch, the same with and without `classes`.
    """

    def __init__(self, samples: int, batch_size: int, seed: int, classes: np.ndarray | None = None) -> None:
        if samples < 1:
            raise ClefError("batches: no training frames; expected at least one: check the labels and the folds")
        self.samples, self.batch_size, self.seed = samples, min(batch_size, samples), seed
        self.steps_per_epoch = samples // self.batch_size
        self._members: list[np.ndarray] | None = None
        if classes is not None:
            self._members = [np.flatnonzero(classes == value) for value in np.unique(classes)]

    def batch(self, step: int) -> np.ndarray:
        """Return the sample indices of a step, counted from 0 over all epochs, (batch,)."""
        if self._members is not None:
            return self._balanced(step, self._members)
        epoch, number = divmod(step, self.steps_per_epoch)
        start = number * self.batch_size
        return _order(self.seed, "epoch", epoch, self.samples)[start : start + self.batch_size].copy()

    def _balanced(self, step: int, members: list[np.ndarray]) -> np.ndarray:
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        chosen = []
        # A turn draws one sample of every class, so its number also counts the draws of each class.
        for turn in range(first // len(members), -(-last // len(members))):
            for position, label in enumerate(permutation(self.seed, "classes", turn, len(members))):
                if first <= turn * len(members) + position < last:
                    own = members[label]
                    lap, index = divmod(turn, len(own))
                    chosen.append(own[_order(self.seed, f"class {label}", lap, len(own))[index]])
        return np.array(chosen)


class CrossedBatches:
    """Batches for stage 1: S subjects, each in the same A activities, and m frames of each such clip.

    Subject and activity are independent in such a batch, so the subject's identity does not help to tell activities
    apart. Subjects and activities come in shuffled rounds, so all are drawn equally often if every subject has every
    activity. A subject that lacks some activities is drawn with those it has. The frames of a clip in a batch are
    evenly spaced over the clip (two frames: half a clip apart), and shift from round to round until all were drawn.

    Args:
        subject: Subject of each usable frame, (frame,), of any sortable type.
        activity: Activity of each frame.
        clip: Clip of each frame. The clips of one subject and activity take turns.
        position: Order of each frame in its clip; gaps do not matter.
        seed: Seed of all draws.
        subjects: S.
        activities: A.
        frames: m.

    Attributes:
        batch_size: S * A * m.
        steps_per_epoch: Steps that draw as many frames as there are usable ones.
        never_drawn: Subjects that fit into no batch, because too few others share A of their activities.
        unused: Indices of the frames that fit into no batch: those of such subjects, of activities with too few
            subjects, and of clips with fewer than m frames.

    Raises:
        ClefError: No S subjects share A activities.
    """

    def __init__(
        self,
        subject: np.ndarray,
        activity: np.ndarray,
        clip: np.ndarray,
        position: np.ndarray,
        *,
        seed: int,
        subjects: int,
        activities: int,
        frames: int,
    ) -> None:
        self.seed, self.subjects, self.activities, self.frames = seed, subjects, activities, frames
        self.batch_size = subjects * activities * frames
        subject_names, subject_of = np.unique(subject, return_inverse=True)
        activity_names, activity_of = np.unique(activity, return_inverse=True)
        _, clip_of = np.unique(clip, return_inverse=True)

        self._sorted = np.lexsort((position, clip_of, activity_of, subject_of))
        keys = np.stack([subject_of, activity_of, clip_of])[:, self._sorted]  # (3, frame)
        starts = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)][: len(subject)])
        lengths = np.diff(np.r_[starts, len(subject)])
        long_enough = lengths >= frames
        self._start, self._length = starts[long_enough], lengths[long_enough]
        self._stride = np.array([_golden_stride(int(length)) for length in self._length], dtype=np.int64)
        owner = keys[:2, self._start]  # (2, clip): subject and activity of each clip

        shape = (len(subject_names), len(activity_names))
        cell = np.ravel_multi_index((owner[0], owner[1]), shape)
        self._clips = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        self._first_clip = np.searchsorted(cell, np.arange(shape[0] * shape[1])).reshape(shape)

        self._having = [_bits(column) for column in (self._clips > 0).T]  # per activity, its subjects
        self._reachable = self._reach()  # (subject, activity)
        if not self._reachable.any():
            raise ClefError(self._shortage())
        self._drawn = np.flatnonzero(self._reachable.any(axis=1))
        self._offered = np.flatnonzero(self._reachable.any(axis=0))
        self.never_drawn = [str(name) for name in subject_names[~self._reachable.any(axis=1)]]
        used = np.repeat(long_enough, lengths) & self._reachable[keys[0], keys[1]]
        self.unused = np.sort(self._sorted[~used])
        self.steps_per_epoch = -(-int(used.sum()) // self.batch_size)

    def batch(self, step: int) -> np.ndarray:
        """Return the frame indices of a step, (S * A * m,), in the order of (S, A, m)."""
        subject_order, subject_round = self._turn("subjects", step, len(self._drawn), self.subjects)
        activity_order, _ = self._turn("activities", step, len(self._offered), self.activities)
        # The first subject determines the activities, so that subjects with few activities are drawn too.
        lead = self._drawn[subject_order[0]]
        candidates = [int(a) for a in self._offered[activity_order] if self._reachable[lead, a]]
        chosen = next(self._shared(candidates, (), -1))
        together = functools.reduce(int.__and__, (self._having[a] for a in chosen))
        eligible = np.array([together >> int(s) & 1 for s in self._drawn[subject_order]], dtype=bool)
        first = np.flatnonzero(eligible)[: self.subjects]
        members = self._drawn[subject_order[first]]
        return self._frames_of(np.ix_(members, np.array(chosen)), subject_round[first, None])

    def _turn(self, what: str, step: int, n: int, taken: int) -> tuple[np.ndarray, np.ndarray]:
        """Return n items in a step's order of preference, and how often each was among the first `taken` before."""
        steps = n // gcd(n, taken)  # after this many steps, all items were equally often among the first
        lap, step_of_lap = divmod(step, steps)
        offered = step_of_lap * taken + np.arange(n)
        order = permutation(self.seed, what, lap, n)[offered % n]
        return order, lap * (steps * taken // n) + offered // n

    def _frames_of(self, cells: tuple[np.ndarray, ...], visit: np.ndarray) -> np.ndarray:
        """Return the frames of cells of subject and activity at their visits, (subject, 1)."""
        clips = self._clips[cells]  # (subject, activity)
        lap, turn = np.divmod(visit, clips)
        shift = integers(self.seed, "clip", lap, self._first_clip[cells], high=clips)
        clip = self._first_clip[cells] + (shift + turn) % clips
        length = self._length[clip]
        # Strides of about 0.618 of a clip that are coprime to its length: `length` visits use every phase once, and
        # consecutive visits are far apart in time.
        phase = integers(self.seed, "phase", lap // length, clip, high=length) + lap * self._stride[clip]
        apart = np.arange(self.frames) * length[..., None] // self.frames  # (subject, activity, frame)
        within = (phase[..., None] + apart) % length[..., None]
        return self._sorted[self._start[clip][..., None] + within].ravel()

    def _shared(self, candidates: list[int], chosen: tuple[int, ...], together: int) -> Iterator[tuple[int, ...]]:
        """Yield sets of A activities that S subjects share, in the order of the candidates.

        Args:
            candidates: Activities to choose from.
            chosen: Activities chosen so far.
            together: The subjects that have all chosen activities, one bit each.
        """
        if len(chosen) == self.activities:
            yield chosen
            return
        for index in range(len(candidates) - (self.activities - len(chosen)) + 1):
            left = together & self._having[candidates[index]]
            if left.bit_count() >= self.subjects:
                yield from self._shared(candidates[index + 1 :], (*chosen, candidates[index]), left)

    def _reach(self) -> np.ndarray:
        """Find the cells that fit into some batch, (subject, activity)."""
        reachable = np.zeros_like(self._clips, dtype=bool)
        if next(self._shared(list(range(len(self._having))), (), -1), None) is None:
            return reachable
        for s, a in np.argwhere(self._clips > 0):
            if reachable[s, a]:
                continue
            others = [int(other) for other in np.flatnonzero(self._clips[s]) if other != a]
            found = next(self._shared(others, (int(a),), self._having[a]), None)
            if found is not None:
                shared = np.array(found)
                complete = np.flatnonzero((self._clips[:, shared] > 0).all(axis=1))
                reachable[np.ix_(complete, shared)] = True
        return reachable

    def _shortage(self) -> str:
        present = self._clips > 0
        found = {"subjects": int(present.any(axis=1).sum()), "activities": int(present.any(axis=0).sum())}
        wanted = {"subjects": self.subjects, "activities": self.activities}
        for what, number in found.items():
            if number < wanted[what]:
                return (
                    f"crossed batches: {number} {what} have clips of {self.frames} or more usable frames, but "
                    f"pretrain.{what} is {wanted[what]}; lower it, or use more recordings"
                )
        enough = int((present.sum(axis=1) >= self.activities).sum())
        return (
            f"crossed batches: no {self.subjects} subjects share {self.activities} activities "
            f"({enough} subjects have that many); lower pretrain.subjects or pretrain.activities"
        )


def label_budget(subjects: np.ndarray, share: float, of: str, seed: int, fold: int | str) -> np.ndarray:
    """Draw the training frames whose labels are used, at least one.

    With one seed, the frames of a smaller share are among those of a larger one.

    Args:
        subjects: Subject of each labelled training frame, (frame,).
        share: Share of frames, or of subjects.
        of: `frames` or `subjects`.
        seed: Seed of the draw.
        fold: Number of the fold. Each fold has a draw of its own, so that folds do not all learn from one subject.

    Returns:
        Their indices, ascending.
    """
    names, unit = np.unique(subjects, return_inverse=True) if of == "subjects" else (subjects, np.arange(len(subjects)))
    number = max(1, round(share * len(names)))
    return np.flatnonzero(np.isin(unit, permutation(seed, f"label budget of fold {fold}", 0, len(names))[:number]))


def permute_activities(subjects: np.ndarray, activities: np.ndarray, seed: int) -> np.ndarray:
    """Swap the activities of each subject at random among those that it has, (frame,).

    A control: clips stay whole, but an activity no longer means the same for two subjects.
    """
    permuted = activities.copy()
    for number, subject in enumerate(np.unique(subjects)):
        own = np.flatnonzero(subjects == subject)
        having, index = np.unique(activities[own], return_inverse=True)
        permuted[own] = having[permutation(seed, "permuted activities", number, len(having))][index]
    return permuted


def cross_subject_share(subjects: np.ndarray, groups: np.ndarray) -> float:
    """Return the share of pairs in one group, such as an activity, with different subjects; NaN without any pair.

    If it is small, the contrastive loss mostly compares faces.
    """
    _, subject_of = np.unique(subjects, return_inverse=True)
    _, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((subject_of.max(initial=-1) + 1, group_of.max(initial=-1) + 1))
    np.add.at(counts, (subject_of, group_of), 1)
    same_group = counts.sum(axis=0)
    pairs = (same_group * (same_group - 1)).sum()
    same_subject = (counts * (counts - 1)).sum()
    return float(1 - same_subject / pairs) if pairs else float("nan")


def _bits(flags: np.ndarray) -> int:
    """Pack flags into an integer, the first in the lowest bit."""
    return sum(1 << int(index) for index in np.flatnonzero(flags))


def _golden_stride(length: int) -> int:
    """Return the number nearest to 0.618 * `length` that is coprime to it."""
    steps = np.arange(1, length + 1)
    coprime = steps[np.gcd(steps, length) == 1]
    return int(coprime[np.abs(coprime - 0.618 * length).argmin()])
