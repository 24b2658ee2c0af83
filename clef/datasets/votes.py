"""From annotators' votes to the class or the distribution that a run learns: FER+'s own processing.

A column of votes is named `votes_` and its emotion, or one of `NO_EMOTION`, which come last.

Barsoum et al.: Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016, sections 3 and 4, as their training code has it. A vote that nobody shares is set to 0 first, except for
`plurality`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

PREFIX = "votes_"
NO_EMOTION = ("unknown", "no_face")
"""What is voted for instead of an emotion."""
MOST_EMOTIONS = 3
"""An image with more than these is left out (`probability`)."""
ENOUGH = 0.75
"""Share of the votes at which no more emotions are taken (`probability`)."""


def vote_columns(names: Iterable[str]) -> list[str]:
    """Those of a table's columns that hold votes, those of emotions first."""
    own = [name for name in names if name.startswith(PREFIX)]
    return sorted(own, key=lambda name: name.removeprefix(PREFIX) in NO_EMOTION)


def plurality(votes: np.ndarray, emotions: int) -> np.ndarray:
    """The emotion with most votes, the first of equals; what is no emotion may win.

    Args:
        votes: (image, column), the columns of emotions first.
        emotions: Number of these.

    Returns:
        Index of the emotion, (image,); -1 where none has won.
    """
    winner = votes.argmax(axis=1)
    return np.where(winner < emotions, winner, -1)


def majority(votes: np.ndarray, emotions: int) -> np.ndarray:
    """The emotion with more than half of the votes.

    Args:
        votes: As for `plurality`.
        emotions: Likewise.

    Returns:
        As from `plurality`.
    """
    shared = _shared(votes)
    return np.where(2 * shared.max(axis=1) > shared.sum(axis=1), plurality(shared, emotions), -1)


def probability(votes: np.ndarray, emotions: int) -> np.ndarray:
    """The shares of the few emotions that hold most of the votes.

    Emotions are taken by falling number of votes, equals together, until they hold three quarters of all, or are three,
    or until what is no emotion comes up. An image is left out where that comes first, where more than three were taken,
    or where what was taken holds no more than half of the votes.

    Args:
        votes: As for `plurality`.
        emotions: Likewise.

    Returns:
        (image, emotion) float32, each row of sum 1, or NaN for an image left out.
    """
    left = _shared(votes)
    total = left.sum(axis=1)
    taken = np.zeros((len(votes), emotions), dtype=left.dtype)
    held, open_ = np.zeros_like(total), np.ones(len(votes), dtype=bool)
    for _ in range(MOST_EMOTIONS):
        open_ &= (held < ENOUGH * total) & ((taken > 0).sum(axis=1) < MOST_EMOTIONS)
        next_ = open_[:, None] & (left == left.max(axis=1, keepdims=True))  # (image, column)
        chosen, ended = next_[:, :emotions], next_[:, emotions:].any(axis=1)
        taken += np.where(chosen, left[:, :emotions], 0)
        held = taken.sum(axis=1)
        left = np.where(next_, 0, left)
        open_ &= ~ended
    kept = (2 * held > total) & ((taken > 0).sum(axis=1) <= MOST_EMOTIONS)
    shares = np.full(taken.shape, np.nan, dtype=np.float32)
    shares[kept] = taken[kept] / held[kept, None]
    return shares


def classes(table: pd.DataFrame, rule: str) -> pd.Series:
    """Name of the emotion of each row of a table with columns of votes, missing where it has none.

    Args:
        table: One row an image.
        rule: `majority` or `plurality`; for `probability` it is `majority`, by which such a run is scored.
    """
    votes, emotions = _votes(table)
    choose = plurality if rule == "plurality" else majority
    names = np.array([*emotions, None], dtype=object)
    return pd.Series(names[choose(votes, len(emotions))], index=table.index, dtype=object)


def distributions(table: pd.DataFrame, expressions: Sequence[str]) -> np.ndarray:
    """Distribution over the given expressions for each row, (image, expression) float32.

    Args:
        table: One row an image, with columns of votes.
        expressions: Some of the emotions voted for, in any order. The others' shares fall away; an image that had no
            other share is NaN throughout, as one that `probability` leaves out.
    """
    votes, emotions = _votes(table)
    shares = probability(votes, len(emotions))[:, [emotions.index(name) for name in expressions]]
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full_like(shares, np.nan), where=total > 0)


def _votes(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Votes, (image, column), and the emotions of the first columns."""
    columns = vote_columns(table.columns)
    emotions = [name.removeprefix(PREFIX) for name in columns]
    emotions = [name for name in emotions if name not in NO_EMOTION]
    return table[columns].to_numpy(dtype=np.int64), emotions


def _shared(votes: np.ndarray) -> np.ndarray:
    return np.where(votes > 1, votes, 0)
