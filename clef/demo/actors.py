"""The people of a set of videos: their looks and habits."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clef.demo.behaviour import subject_ids
from clef.demo.identity import MENS_HAIR, ROOMS, SKIN, WOMENS_HAIR, Identity, random_identity
from clef.demo.performance import Habits, random_habits

EVENTS = ("turn", "hand", "mouth")
"""Each happens once to each person, in different clips."""


@dataclass(frozen=True)
class Actor:
    """One person of the set."""

    subject: str
    identity: Identity
    habits: Habits
    events: tuple[str | None, ...]  # in each of their clips, in an order that does not depend on the activities


@lru_cache(maxsize=4)
def random_actors(seed: int, subjects: int, activities: int) -> tuple[Actor, ...]:
    """Draw random people. Hair styles, skin tones and rooms rotate, so that neighbours look different."""
    order = np.random.default_rng([seed, 0])
    women, men, rooms = order.permutation(WOMENS_HAIR), order.permutation(MENS_HAIR), order.permutation(ROOMS)
    tones = order.permutation(len(SKIN))
    actors = []
    for index, subject in enumerate(subject_ids(subjects)):
        rng = np.random.default_rng([seed, 1, index])
        woman = subject.startswith("F")
        styles = women if woman else men
        identity = random_identity(
            rng,
            woman,
            tone=int(tones[index % len(tones)]),
            style=str(styles[(int(subject[1:]) - 1) % len(styles)]),
            room=str(rooms[(index + index // len(rooms)) % len(rooms)]),
        )
        events: list[str | None] = [*EVENTS[:activities], *[None] * max(0, activities - len(EVENTS))]
        shuffled = tuple(events[index] for index in rng.permutation(activities))
        actors.append(Actor(subject, identity, random_habits(rng), shuffled))
    return tuple(actors)
