"""Turn annotators' votes into classes or distributions, as FER+ does.

Vote columns are named `votes_` plus an emotion, or plus one of `NO_EMOTION`, which come last.

Barsoum et al.: Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016, sections 3 and 4, as in their training code. Except for `plurality`, single votes are set to 0 first.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

PREFIX = "votes_"
NO_EMOTION = ("unknown", "no_face")
"""Votes for no emotion."""
MAX_EMOTIONS = 3
"""Images with more emotions are left out (`probability`)."""
SUFFICIENT_SHARE = 0.75
"""Share of the votes at which no further emotions are taken (`probability`)."""


def vote_columns(names: Iterable[str]) -> list[str]:
    """Select the vote columns of a table, those of emotions first."""
    own = [name for name in names if name.startswith(PREFIX)]
    return sorted(own, key=lambda name: name.removeprefix(PREFIX) in NO_EMOTION)


def plurality(votes: np.ndarray, emotions: int) -> np.ndarray:
    """Return the index of the emotion with most votes, the first of equals, (image,); -1 if no emotion wins.

    `votes` is (image, column). Its first columns, as many as `emotions`, are those of emotions.
    """
    winner = votes.argmax(axis=1)
    return np.where(winner < emotions, winner, -1)


def majority(votes: np.ndarray, emotions: int) -> np.ndarray:
    """Return the index of the emotion with more than half of the votes, as `plurality` does."""
    shared = np.where(votes > 1, votes, 0)
    return np.where(2 * shared.max(axis=1) > shared.sum(axis=1), plurality(shared, emotions), -1)


def probability(votes: np.ndarray, emotions: int) -> np.ndarray:
    """Compute the shares of the few emotions with most of the votes.

    Emotions are taken in descending order of votes, ties together, until they have three quarters of all votes, or
    there are three, or a vote for no emotion is next. An image is left out if that comes first, if more than three
    emotions were taken, or if they have at most half of the votes.

    Returns:
        (image, emotion) float32; each row sums to 1, or is NaN for an image left out.
    """
    left = np.where(votes > 1, votes, 0)
    total = left.sum(axis=1)
    taken = np.zeros((len(votes), emotions), dtype=left.dtype)
    held, open_ = np.zeros_like(total), np.ones(len(votes), dtype=bool)
    for _ in range(MAX_EMOTIONS):
        open_ &= (held < SUFFICIENT_SHARE * total) & ((taken > 0).sum(axis=1) < MAX_EMOTIONS)
        next_ = open_[:, None] & (left == left.max(axis=1, keepdims=True))  # (image, column)
        chosen, ended = next_[:, :emotions], next_[:, emotions:].any(axis=1)
        taken += np.where(chosen, left[:, :emotions], 0)
        held = taken.sum(axis=1)
        left = np.where(next_, 0, left)
        open_ &= ~ended
    kept = (2 * held > total) & ((taken > 0).sum(axis=1) <= MAX_EMOTIONS)
    shares = np.full(taken.shape, np.nan, dtype=np.float32)
    shares[kept] = taken[kept] / held[kept, None]
    return shares


def classes(table: pd.DataFrame, rule: str) -> pd.Series:
    """Choose the emotion of each row of a table with vote columns; missing if none wins.

    All rules but `plurality` score by majority.
    """
    votes, emotions = _votes(table)
    choose = plurality if rule == "plurality" else majority
    names = np.array([*emotions, None], dtype=object)
    return pd.Series(names[choose(votes, len(emotions))], index=table.index, dtype=object)


def distributions(table: pd.DataFrame, expressions: Sequence[str]) -> np.ndarray:
    """Compute the distribution over some of the emotions for each row, (image, expression) float32.

    Shares of other emotions are dropped. An image with no share left is NaN, like one that `probability` leaves out.
    """
    votes, emotions = _votes(table)
    shares = probability(votes, len(emotions))[:, [emotions.index(name) for name in expressions]]
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full_like(shares, np.nan), where=total > 0)


def _votes(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return the votes, (image, column), and the emotions of the first columns."""
    columns = vote_columns(table.columns)
    emotions = [name.removeprefix(PREFIX) for name in columns]
    emotions = [name for name in emotions if name not in NO_EMOTION]
    return table[columns].to_numpy(dtype=np.int64), emotions
