"""Which frames make a batch: every sampler is a pure function of a seed and a step.

A resumed run therefore needs only the step's number to meet the same batches.
"""

import functools
from collections.abc import Iterator
from math import gcd

import numpy as np

from clef.batches.randomness import integers, permutation
from clef.errors import ClefError

_order = functools.lru_cache(maxsize=16)(permutation)  # neighbouring steps ask for the same long orders


class EpochBatches:
    """Batches for stage 2: every sample once an epoch, in an order of its own.

    Args:
        samples: Number of samples.
        batch_size: Samples in a batch. With fewer samples than that, all of them are the only batch of an
            epoch; otherwise what is left after the last whole batch of an epoch is dropped, another part each
            time.
        seed: Draws the orders.
        classes: Class index of each sample, `(sample,)`, to draw every class that occurs equally often
            instead. Each class's samples then take turns in shuffled rounds of their own, so that a rare
            class is seen several times an epoch and a frequent one only in part.

    Attributes:
        steps_per_epoch: Batches in an epoch, which is as long with `classes` as without.
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
        """Sample indices of a step, counted from 0 over all epochs, `(batch,)`."""
        if self._members is not None:
            return self._balanced(step, self._members)
        epoch, place = divmod(step, self.steps_per_epoch)
        start = place * self.batch_size
        return _order(self.seed, "epoch", epoch, self.samples)[start : start + self.batch_size].copy()

    def _balanced(self, step: int, members: list[np.ndarray]) -> np.ndarray:
        first, last = step * self.batch_size, (step + 1) * self.batch_size
        chosen = []
        # Each turn meets every class once, so its number is also that of the class's own draw.
        for turn in range(first // len(members), -(-last // len(members))):
            for place, which in enumerate(permutation(self.seed, "classes", turn, len(members))):
                if first <= turn * len(members) + place < last:
                    own = members[which]
                    lap, position = divmod(turn, len(own))
                    chosen.append(own[_order(self.seed, f"class {which}", lap, len(own))[position]])
        return np.array(chosen)


class CrossedBatches:
    """Batches for stage 1: some subjects, each in the same activities, and a few frames of each such clip.

    In such a batch subject and activity are independent: knowing whose face it is tells nothing about the
    activity. Subjects and activities take turns in shuffled rounds, so that with a complete table all are met
    equally often. A subject that lacks a clip is met in activities that it has. Frames of one clip in a batch
    lie evenly apart around the clip (two: half a clip), and from round to round they move along it so that
    all are met.

    Args:
        subject: Subject of each usable frame, `(frame,)`, any sortable type.
        activity: Activity of each frame.
        clip: Clip of each frame; a subject may have several of an activity, which take turns.
        position: Order of each frame in its clip; gaps do not matter.
        seed: Draws everything.
        subjects: Subjects in a batch, S.
        activities: Activities of each of them in a batch, A.
        frames: Frames of each clip in a batch, m.

    Attributes:
        batch_size: S * A * m.
        steps_per_epoch: Steps that draw as many frames as can be drawn.
        never_drawn: Subjects no batch can hold, since too few others share A of their activities.
        unused: Indices of all frames that no batch can hold: of such subjects, of activities that too few
            subjects have, of clips with fewer than m frames.

    Raises:
        ClefError: There are fewer subjects or activities than asked for, or no S subjects share A activities.
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
        """Frame indices of a step, `(S * A * m,)`; reshaped to `(S, A, m)` they show the crossing."""
        subject_order, subject_round = self._turn("subjects", step, len(self._drawn), self.subjects)
        activity_order, _ = self._turn("activities", step, len(self._offered), self.activities)
        lead = self._drawn[subject_order[0]]  # its activities are chosen, so an incomplete subject is met too
        candidates = [int(a) for a in self._offered[activity_order] if self._reachable[lead, a]]
        chosen = next(self._shared(candidates, (), -1))
        together = functools.reduce(int.__and__, (self._having[a] for a in chosen))
        eligible = np.array([together >> int(s) & 1 for s in self._drawn[subject_order]], dtype=bool)
        places = np.flatnonzero(eligible)[: self.subjects]
        members = self._drawn[subject_order[places]]
        return self._frames_of(np.ix_(members, np.array(chosen)), subject_round[places, None])

    def _turn(self, what: str, step: int, n: int, taken: int) -> tuple[np.ndarray, np.ndarray]:
        """Everybody in a step's order of preference, and how often each had been offered before."""
        steps = n // gcd(n, taken)  # after so many steps, all have been among the first `taken` equally often
        lap, place = divmod(step, steps)
        offered = place * taken + np.arange(n)
        order = permutation(self.seed, what, lap, n)[offered % n]
        return order, lap * (steps * taken // n) + offered // n

    def _frames_of(self, cells: tuple[np.ndarray, ...], visit: np.ndarray) -> np.ndarray:
        """Frames of each cell of subject and activity at a visit, `(subject, 1)`."""
        clips = self._clips[cells]  # (subject, activity)
        lap, turn = np.divmod(visit, clips)
        shift = integers(self.seed, "clip", lap, self._first_clip[cells], high=clips)
        clip = self._first_clip[cells] + (shift + turn) % clips
        length = self._length[clip]
        # Steps of about 0.618 clip, coprime to its length: in `length` visits every phase comes once, and
        # visits that follow each other are far apart in time.
        phase = integers(self.seed, "phase", lap // length, clip, high=length) + lap * self._stride[clip]
        apart = np.arange(self.frames) * length[..., None] // self.frames  # (subject, activity, frame)
        within = (phase[..., None] + apart) % length[..., None]
        return self._sorted[self._start[clip][..., None] + within].ravel()

    def _shared(self, candidates: list[int], chosen: tuple[int, ...], together: int) -> Iterator[tuple[int, ...]]:
        """Sets of A activities that S subjects share, in the order of the candidates.

        Args:
            candidates: Activities to choose from.
            chosen: Activities chosen already.
            together: The subjects who have all of these, one bit each.
        """
        if len(chosen) == self.activities:
            yield chosen
            return
        for place in range(len(candidates) - (self.activities - len(chosen)) + 1):
            left = together & self._having[candidates[place]]
            if left.bit_count() >= self.subjects:
                yield from self._shared(candidates[place + 1 :], (*chosen, candidates[place]), left)

    def _reach(self) -> np.ndarray:
        """Whether some batch holds a subject in an activity, `(subject, activity)`."""
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
                    f"crossed batches: {number} {what} have clips of {self.frames} or more usable frames; "
                    f"pretrain.{what} asks for {wanted[what]}: lower it, or use more recordings"
                )
        enough = int((present.sum(axis=1) >= self.activities).sum())
        return (
            f"crossed batches: no {self.subjects} subjects share {self.activities} activities "
            f"({enough} subjects have as many at all); lower pretrain.subjects or pretrain.activities"
        )


def cross_subject_share(subjects: np.ndarray, activities: np.ndarray) -> float:
    """Share of pairs of images of the same activity whose subjects differ; NaN without such a pair.

    Where it is small, the contrast of activities is largely a contrast of faces.
    """
    _, subject_of = np.unique(subjects, return_inverse=True)
    _, activity_of = np.unique(activities, return_inverse=True)
    counts = np.zeros((subject_of.max(initial=-1) + 1, activity_of.max(initial=-1) + 1))
    np.add.at(counts, (subject_of, activity_of), 1)
    same_activity = counts.sum(axis=0)
    pairs = (same_activity * (same_activity - 1)).sum()
    same_subject = (counts * (counts - 1)).sum()
    return float(1 - same_subject / pairs) if pairs else float("nan")


def _bits(flags: np.ndarray) -> int:
    return sum(1 << int(place) for place in np.flatnonzero(flags))


def _golden_stride(length: int) -> int:
    """Number nearest to 0.618 of `length` that shares no factor with it."""
    steps = np.arange(1, length + 1)
    coprime = steps[np.gcd(steps, length) == 1]
    return int(coprime[np.abs(coprime - 0.618 * length).argmin()])
