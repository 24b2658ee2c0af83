"""The people of a set of videos, and their clips: videos, and labels in the layout of BP4D's occurrence csv."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from clef.demo.acting import FPS, NOT_CODED, Habits, Performance, perform, random_habits
from clef.demo.behaviour import ACTION_UNITS, ACTIVITIES, subject_ids
from clef.demo.camera import GRAIN_SHIFT, Camera
from clef.demo.face_renderer import FaceRenderer
from clef.demo.hand import Hand
from clef.demo.identity import MENS_HAIR, ROOMS, SKIN, WOMENS_HAIR, Identity, random_identity
from clef.demo.shapes import ImageArray
from clef.params.schema import RenderParams
from clef.runtime.files import atomic_write, write_text

EVENTS = ("turn", "hand", "mouth")  # each happens once to each person, in different clips
COLUMNS = 100
"""Columns of the csv: frame number, action units 1 to 98, and a flag for frames that cannot be coded."""
KEPT_SHARE = 0.75  # of the bytes of the truncated video


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


@dataclass(frozen=True)
class Clip:
    """One person in one activity."""

    settings: RenderParams
    subject: int  # index of the actor
    activity: int  # index of the activity

    @property
    def actor(self) -> Actor:
        """The person in the clip."""
        return random_actors(self.settings.seed, self.settings.subjects, self.settings.activities)[self.subject]

    @property
    def files(self) -> list[str]:
        """Paths of the video and the labels, relative to the set's folder."""
        subject, activity = self.actor.subject, list(ACTIVITIES)[self.activity]
        return [f"videos/{subject}/{activity}.mp4", f"AUCoding/AU_OCC/{subject}_{activity}.csv"]

    @property
    def truncated(self) -> bool:
        """True for the one video of the set that lacks its end, like an incomplete copy."""
        number = self.settings.subjects * self.settings.activities
        chosen = int(np.random.default_rng([self.settings.seed, 3]).integers(number))
        return chosen == self.subject * self.settings.activities + self.activity

    def perform(self) -> Performance:
        """Draw the clip's random performance."""
        rng = self.random(0)
        frames = max(2, round(rng.uniform(*self.settings.seconds) * FPS))
        activity, event = list(ACTIVITIES.values())[self.activity], self.actor.events[self.activity]
        return perform(rng, activity, self.actor.habits, frames, self.settings.labelled_share, event)

    def render(self, root: Path) -> None:
        """Write the clip's video and labels below `root`."""
        video, labels = (root / path for path in self.files)
        performance = self.perform()
        with atomic_write(video) as partial:
            _encode(self, performance, partial)
            if self.truncated:
                os.truncate(partial, int(KEPT_SHARE * partial.stat().st_size))
        write_text(labels, occurrence_csv(performance))

    def random(self, purpose: int) -> np.random.Generator:
        """Return the clip's random generator for a purpose."""
        return np.random.default_rng([self.settings.seed, 2, self.subject, self.activity, purpose])


def plan_clips(settings: RenderParams) -> list[Clip]:
    """Return every clip of the set, person by person."""
    return [Clip(settings, s, a) for s in range(settings.subjects) for a in range(settings.activities)]


def occurrence_csv(performance: Performance) -> str:
    """Format the labelled window as in BP4D: header 0 to 99, one row per frame, frames numbered from 1."""
    lines = [",".join(map(str, range(COLUMNS)))]
    for frame in range(*performance.window):
        row = [NOT_CODED] * COLUMNS
        row[0] = frame + 1
        for number, code in zip(ACTION_UNITS, performance.codes[frame], strict=True):
            row[number] = int(code)
        row[-1] = int(performance.uncodable[frame])
        lines.append(",".join(map(str, row)))
    return "\n".join(lines) + "\n"


def draw_frames(clip: Clip, performance: Performance, wanted: Iterable[int] | None = None) -> Iterator[ImageArray]:
    """Draw the frames of a clip in order, each (size, size, 3) RGB, or only those with the wanted indices."""
    face, hand, camera = _prepare_person(clip.settings, clip.subject)
    rng = clip.random(1)
    shift = (int(rng.integers(-6, 7)), int(rng.integers(-6, 7)))
    backdrop = face.backdrop(shift, float(rng.uniform(0.96, 1.04)))
    grain = rng.integers(GRAIN_SHIFT, size=(len(performance.poses), 2))
    for frame in range(len(performance.poses)) if wanted is None else wanted:
        drawing = face.draw(performance.poses[frame], backdrop)
        drawing = hand.lay_over(drawing, float(performance.hand[frame]))
        yield camera.take(drawing, (int(grain[frame, 0]), int(grain[frame, 1])))


@lru_cache(maxsize=2)
def _prepare_person(settings: RenderParams, subject: int) -> tuple[FaceRenderer, Hand, Camera]:
    identity = random_actors(settings.seed, settings.subjects, settings.activities)[subject].identity
    return FaceRenderer(identity), Hand(identity), Camera(identity, settings.size)


def _encode(clip: Clip, performance: Performance, path: Path) -> None:
    """Write H.264 with the index first, so that a truncated video still opens."""
    size = clip.settings.size
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        # One thread, because x264's output depends on their number. Other clips keep the cores busy.
        options = {"preset": "superfast", "crf": "24", "g": "50", "threads": "1"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for image in draw_frames(clip, performance):
            planes: ImageArray = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
