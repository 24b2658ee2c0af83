"""Which face is where in each frame: detection in every n-th frame, and what may be said of those between.

Frames go through as a stream. At any time no more are held than are read ahead for a detector call, wait for
the end of a gap, or lie in the smoothing window.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clef.faces.detectors import Detector, Face
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

Status = Literal["detected", "tracked", "bridged", "no_face", "undecodable"]


@dataclass(frozen=True)
class Tracked:
    """One frame and its face."""

    frame: Frame
    status: Status
    """`detected` by the detector; `tracked` between two detections of the same face, in a frame that was not
    looked at; `bridged` the same across frames in which the detector found nothing; `no_face`;
    `undecodable`."""
    face: Face | None = None
    faces: int | None = None
    """How many the detector found; none where it was not asked."""


def track(frames: Iterable[Frame], detector: Detector, settings: CropParams) -> Iterator[Tracked]:
    """Follow the face of one recording.

    Args:
        frames: By rising number, as `read_frames` gives them.
        detector: Made from the same settings.
        settings: `every`, `bridge`, `face`, `smooth` and `batch` count here.

    Yields:
        The same frames, each once and in order. Where there are several faces, each frame is judged by
        itself: nothing prefers the face of the frame before.
    """
    observed = observe(frames, detector, settings, settings.every)
    return _smooth(_bridge(observed, settings.bridge), settings.smooth)


def observe(frames: Iterable[Frame], detector: Detector, settings: CropParams, every: int) -> Iterator[Tracked]:
    """Detect in every n-th frame and in the last, and interpolate between two that show the same face.

    Where one of two neighbouring detections fails, or the face jumps, every frame between them is looked at,
    so that the end of a face's visibility is found to the frame. Between two failures nothing is looked for.
    """
    before: Tracked | None = None
    between: list[Frame] = []
    wait = 0
    for chunk in _chunks(frames, max(settings.batch, every)):
        due = []
        for frame in chunk:
            due.append(wait <= 0 and frame.image is not None)
            wait = (every if due[-1] else wait) - 1
        looked = _detect(list(itertools.compress(chunk, due)), detector, settings)
        for frame, is_due in zip(chunk, due, strict=True):
            if not is_due:
                between.append(frame)
                continue
            after = next(looked)
            yield from _fill(before, between, after, detector, settings)
            yield after
            before, between = after, []
    last = max((index for index, frame in enumerate(between) if frame.image is not None), default=None)
    if last is not None:
        (after,) = _detect([between[last]], detector, settings)
        yield from _fill(before, between[:last], after, detector, settings)
        yield after
        between = between[last + 1 :]
    yield from (Tracked(frame, "undecodable") for frame in between)


def same_face(one: Face, other: Face) -> bool:
    """Whether two boxes may be one face: centres within a face's side of each other, sides within twice."""
    sides = math.sqrt(max(one.area, 0.0)), math.sqrt(max(other.area, 0.0))
    distance = float(np.linalg.norm(one.centre - other.centre))
    return min(sides) > 0 and distance <= sum(sides) / 2 and max(sides) <= 2 * min(sides)


def interpolate(one: Face, other: Face, share: float) -> Face:
    """The face on the straight way from one to the other; `share` 0 is the first, 1 the second."""
    box = tuple((1 - share) * a + share * b for a, b in zip(one.box, other.box, strict=True))
    landmarks = None
    if one.landmarks is not None and other.landmarks is not None:
        landmarks = (1 - share) * one.landmarks + share * other.landmarks
    return Face((box[0], box[1], box[2], box[3]), min(one.score, other.score), landmarks)


def _chunks(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    iterator = iter(frames)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _detect(frames: list[Frame], detector: Detector, settings: CropParams) -> Iterator[Tracked]:
    for start in range(0, len(frames), settings.batch):
        part = frames[start : start + settings.batch]
        images = [frame.image for frame in part if frame.image is not None]
        for frame, image, faces in zip(part, images, detector.detect(images), strict=True):
            if not faces:
                yield Tracked(frame, "no_face", faces=0)
            elif settings.face == "largest":
                yield Tracked(frame, "detected", max(faces, key=lambda face: face.area), len(faces))
            else:
                middle = np.array([image.shape[1] / 2, image.shape[0] / 2])
                central = min(faces, key=lambda face: float(np.linalg.norm(face.centre - middle)))
                yield Tracked(frame, "detected", central, len(faces))


def _fill(
    before: Tracked | None, between: list[Frame], after: Tracked, detector: Detector, settings: CropParams
) -> Iterator[Tracked]:
    """Say what is in the frames between two that were looked at."""
    start = before.face if before else None
    if before and start and after.face and same_face(start, after.face):
        for frame in between:
            if frame.image is None:
                yield Tracked(frame, "undecodable")
            else:
                yield Tracked(frame, "tracked", interpolate(start, after.face, _share(before, frame, after)))
        return
    look = start is not None or after.face is not None
    seen = {}
    if look:
        decoded = [frame for frame in between if frame.image is not None]
        seen = {found.frame.number: found for found in _detect(decoded, detector, settings)}
    for frame in between:
        if frame.image is None:
            yield Tracked(frame, "undecodable")
        else:
            yield seen.get(frame.number) or Tracked(frame, "no_face")


def _share(before: Tracked, frame: Frame, after: Tracked) -> float:
    return (frame.number - before.frame.number) / (after.frame.number - before.frame.number)


def _bridge(items: Iterable[Tracked], longest: int) -> Iterator[Tracked]:
    """Interpolate over short runs without a face between two frames that show the same one."""
    before: Tracked | None = None
    waiting: list[Tracked] = []
    for item in items:
        if item.face is not None:
            if before and before.face and same_face(before.face, item.face):
                for gap in waiting:
                    if gap.status == "undecodable":
                        yield gap
                    else:
                        face = interpolate(before.face, item.face, _share(before, gap.frame, item))
                        yield replace(gap, status="bridged", face=face)
            else:
                yield from waiting
            yield item
            before, waiting = item, []
            continue
        waiting.append(item)
        if before is None or item.frame.number - before.frame.number > longest:
            yield from waiting
            before, waiting = None, []
    yield from waiting


def _smooth(items: Iterable[Tracked], deviation: float) -> Iterator[Tracked]:
    """Steady boxes and landmarks by a Gaussian over time, within unbroken runs of the same face."""
    if deviation == 0:
        yield from items
        return
    radius = math.ceil(3 * deviation)
    run: list[Tracked] = []
    done = 0  # how many of the run have been handed on and stay as neighbours of the next
    for item in items:
        if run and not _continues(run[-1], item):
            yield from (_steadied(run, index, radius, deviation) for index in range(done, len(run)))
            run, done = [], 0
        if item.face is None:
            yield item
            continue
        run.append(item)
        if len(run) - done > radius:
            yield _steadied(run, done, radius, deviation)
            done += 1
            if done > radius:
                del run[0]
                done -= 1
    yield from (_steadied(run, index, radius, deviation) for index in range(done, len(run)))


def _continues(before: Tracked, after: Tracked) -> bool:
    return (
        before.face is not None
        and after.face is not None
        and after.frame.number == before.frame.number + 1
        and (before.face.landmarks is None) == (after.face.landmarks is None)
        and same_face(before.face, after.face)
    )


def _steadied(run: list[Tracked], index: int, radius: int, deviation: float) -> Tracked:
    first = max(0, index - radius)
    faces = [item.face for item in run[first : index + radius + 1] if item.face is not None]
    weights = np.exp(-0.5 * ((np.arange(len(faces)) + first - index) / deviation) ** 2)
    weights /= weights.sum()
    face = run[index].face
    assert face is not None
    left, top, width, height = weights @ np.array([face.box for face in faces])
    landmarks = None
    if face.landmarks is not None:
        landmarks = np.einsum("f,fpc->pc", weights, np.array([face.landmarks for face in faces]))
    return replace(run[index], face=replace(face, box=(left, top, width, height), landmarks=landmarks))
