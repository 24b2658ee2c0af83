"""One clip: its video, and its labels in the layout of BP4D's occurrence csv."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from clef.demo.actors import Actor, random_actors
from clef.demo.behaviour import ACTION_UNITS, ACTIVITIES
from clef.demo.camera import GRAIN_SHIFT, Camera
from clef.demo.face_renderer import FaceRenderer
from clef.demo.hand import Hand
from clef.demo.layers import ImageArray
from clef.demo.performance import FPS, NOT_CODED, Performance, perform
from clef.params.schema import RenderParams
from clef.runtime.files import atomic_write, write_text

COLUMNS = 100
"""Columns of the csv: frame number, action units 1 to 98, and a flag for frames that cannot be coded."""
KEPT_SHARE = 0.75  # of the bytes of the truncated video


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
    def activity_id(self) -> str:
        """Such as `T1`."""
        return list(ACTIVITIES)[self.activity]

    @property
    def video(self) -> str:
        """Path relative to the set's folder."""
        return f"videos/{self.actor.subject}/{self.activity_id}.mp4"

    @property
    def labels(self) -> str:
        """Path relative to the set's folder."""
        return f"AUCoding/AU_OCC/{self.actor.subject}_{self.activity_id}.csv"

    @property
    def truncated(self) -> bool:
        """True for the one video of the set that lacks its end, like an incomplete copy."""
        number = self.settings.subjects * self.settings.activities
        chosen = int(np.random.default_rng([self.settings.seed, 3]).integers(number))
        return chosen == self.subject * self.settings.activities + self.activity

    def perform(self) -> Performance:
        """Draw the clip's random performance."""
        rng = self.random(0)
        shortest, longest = self.settings.seconds
        frames = max(2, round(rng.uniform(shortest, longest) * FPS))
        activity, event = ACTIVITIES[self.activity_id], self.actor.events[self.activity]
        return perform(rng, activity, self.actor.habits, frames, self.settings.labelled_share, event)

    def random(self, purpose: int) -> np.random.Generator:
        """Return the clip's random generator for a purpose."""
        return np.random.default_rng([self.settings.seed, 2, self.subject, self.activity, purpose])


def render_clip(clip: Clip, root: Path) -> list[str]:
    """Write a clip's video and labels below `root`, and return their relative paths."""
    performance = clip.perform()
    with atomic_write(root / clip.video) as partial:
        _encode(clip, performance, partial)
        if clip.truncated:
            with open(partial, "r+b") as file:
                file.truncate(int(KEPT_SHARE * partial.stat().st_size))
    write_text(root / clip.labels, occurrence_csv(performance))
    return [clip.video, clip.labels]


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
