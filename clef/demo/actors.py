"""The people of a set of videos: who they are and which habits they have."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clef.demo.behaviour import subject_ids
from clef.demo.identity import MENS_HAIR, ROOMS, SKIN, WOMENS_HAIR, Identity, random_identity
from clef.demo.performance import Habits, random_habits

EVENTS = ("turn", "hand", "mouth")
"""What happens once to each person, in a clip each, as far as they have clips."""


@dataclass(frozen=True)
class Actor:
    """One person of the set."""

    subject: str
    identity: Identity
    habits: Habits
    events: tuple[str | None, ...]
    """What happens in each of their clips, in an order that has nothing to do with the activities."""


@lru_cache(maxsize=4)
def random_actors(seed: int, subjects: int, activities: int) -> tuple[Actor, ...]:
    """Draw the people; styles of hair, skin and room go round, so that nobody looks like a neighbour."""
    order = np.random.default_rng([seed, 0])
    women, men, rooms = order.permutation(WOMENS_HAIR), order.permutation(MENS_HAIR), order.permutation(ROOMS)
    tones = order.permutation(len(SKIN))
    cast = []
    for index, subject in enumerate(subject_ids(subjects)):
        rng = np.random.default_rng([seed, 1, index])
        woman = subject.startswith("F")
        rank = int(subject[1:]) - 1
        styles = women if woman else men
        identity = random_identity(
            rng,
            woman,
            tone=int(tones[index % len(tones)]),
            style=str(styles[rank % len(styles)]),
            room=str(rooms[(index + index // len(rooms)) % len(rooms)]),
        )
        events: list[str | None] = [*EVENTS[:activities], *[None] * max(0, activities - len(EVENTS))]
        shuffled = tuple(events[place] for place in rng.permutation(activities))
        cast.append(Actor(subject, identity, random_habits(rng), shuffled))
    return tuple(cast)
