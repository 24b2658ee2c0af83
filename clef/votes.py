"""From annotators' votes to the class or the distribution that a run learns: FER+'s own processing.

Barsoum et al.: Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016, sections 3 and 4, as their training code has it. A vote that nobody shares is set to 0 first, except for
`plurality`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from clef.datasets.ferplus import EMOTIONS, VOTES

MOST_EMOTIONS = 3
"""An image with more than these is left out (`probability`)."""
ENOUGH = 0.75
"""Share of the votes at which no more emotions are taken (`probability`)."""


def plurality(votes: np.ndarray) -> np.ndarray:
    """The emotion with most votes, the first of equals; `unknown` and `no_face` may win.

    Args:
        votes: (image, column) in the order of `VOTES`.

    Returns:
        Index of the emotion, (image,); -1 where none has won.
    """
    winner = votes.argmax(axis=1)
    return np.where(winner < len(EMOTIONS), winner, -1)


def majority(votes: np.ndarray) -> np.ndarray:
    """The emotion with more than half of the votes.

    Args:
        votes: As for `plurality`.

    Returns:
        As from `plurality`.
    """
    shared = _shared(votes)
    return np.where(2 * shared.max(axis=1) > shared.sum(axis=1), plurality(shared), -1)


def probability(votes: np.ndarray) -> np.ndarray:
    """The shares of the few emotions that hold most of the votes.

    Emotions are taken by falling number of votes, equals together, until they hold three quarters of all, or are three,
    or until `unknown` or `no_face` comes up. An image is left out where one of these two comes first, where more than
    three were taken, or where what was taken holds no more than half of the votes.

    Args:
        votes: As for `plurality`.

    Returns:
        (image, emotion) float32, each row of sum 1, or NaN for an image left out.
    """
    left = _shared(votes)
    total = left.sum(axis=1)
    taken = np.zeros((len(votes), len(EMOTIONS)), dtype=left.dtype)
    held, open_ = np.zeros_like(total), np.ones(len(votes), dtype=bool)
    for _ in range(MOST_EMOTIONS):
        open_ &= (held < ENOUGH * total) & ((taken > 0).sum(axis=1) < MOST_EMOTIONS)
        next_ = open_[:, None] & (left == left.max(axis=1, keepdims=True))  # (image, column)
        emotions, ended = next_[:, : len(EMOTIONS)], next_[:, len(EMOTIONS) :].any(axis=1)
        taken += np.where(emotions, left[:, : len(EMOTIONS)], 0)
        held = taken.sum(axis=1)
        left = np.where(next_, 0, left)
        open_ &= ~ended
    kept = (2 * held > total) & ((taken > 0).sum(axis=1) <= MOST_EMOTIONS)
    shares = np.full(taken.shape, np.nan, dtype=np.float32)
    shares[kept] = taken[kept] / held[kept, None]
    return shares


def classes(table: pd.DataFrame, rule: str) -> pd.Series:
    """Name of the emotion of each row of a table with the columns `VOTES`, missing where it has none.

    Args:
        table: One row an image.
        rule: `majority` or `plurality`; for `probability` it is `majority`, by which such a run is scored.
    """
    choose: Callable[[np.ndarray], np.ndarray] = plurality if rule == "plurality" else majority
    names = np.array([*EMOTIONS, None], dtype=object)
    return pd.Series(names[choose(_votes(table))], index=table.index, dtype=object)


def distributions(table: pd.DataFrame, expressions: Sequence[str]) -> np.ndarray:
    """Distribution over the given expressions for each row, (image, expression) float32.

    Args:
        table: One row an image, with the columns `VOTES`.
        expressions: Some of `EMOTIONS`, in any order. The others' shares fall away; an image that had no other share
            is NaN throughout, as one that `probability` leaves out.
    """
    shares = probability(_votes(table))[:, [EMOTIONS.index(name) for name in expressions]]
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full_like(shares, np.nan), where=total > 0)


def _votes(table: pd.DataFrame) -> np.ndarray:
    return table[VOTES].to_numpy(dtype=np.int64)


def _shared(votes: np.ndarray) -> np.ndarray:
    return np.where(votes > 1, votes, 0)
