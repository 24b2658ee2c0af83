"""Find the face in each frame of a recording: detect it in every n-th frame and interpolate between detections.

Frames pass through as a stream. Only those are held in memory that are read ahead for a detector call, wait for the end
of a gap, or lie within the smoothing window.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from clef.faces.detectors import Detector, Face
from clef.faces.detectors.base import intersection
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

Status = Literal["detected", "tracked", "bridged", "no_face", "undecodable"]
Item = TypeVar("Item")


@dataclass(frozen=True)
class TrackedFrame:
    """A frame and its face."""

    frame: Frame
    status: Status
    """`tracked`: interpolated in a skipped frame; `bridged`: interpolated where the detector found nothing."""
    face: Face | None = None
    faces: int | None = None
    """Number of faces detected, or None if the detector did not see the frame."""


def track_face(frames: Iterable[Frame], detector: Detector, settings: CropParams) -> Iterator[TrackedFrame]:
    """Track the face of one recording and yield the same frames, each once and in order.

    If there are several faces, each frame is judged alone. The face of the previous frame is not preferred.
    """
    detected = detect_faces(frames, detector, settings, settings.every)
    return _smooth(_bridge(detected, settings.bridge), settings.smooth)


def detect_faces(
    frames: Iterable[Frame], detector: Detector, settings: CropParams, every: int
) -> Iterator[TrackedFrame]:
    """Detect in every n-th frame and the last one, and interpolate between two detections of the same face.

    If one of two neighbouring detections fails, or the face jumps, all frames between them are searched, so that the
    moment when a face appears or disappears is exact. Frames between two failures are not searched.
    """
    before: TrackedFrame | None = None
    skipped: list[TrackedFrame] = []
    wait = 0
    for chunk in chunks(frames, max(settings.batch, every)):
        due = []
        for frame in chunk:
            due.append(wait <= 0 and frame.image is not None)
            wait = (every if due[-1] else wait) - 1
        detections = _detect(list(itertools.compress(chunk, due)), detector, settings)
        for frame, is_due in zip(chunk, due, strict=True):
            if not is_due:
                skipped.append(TrackedFrame(frame, "undecodable" if frame.image is None else "no_face"))
                continue
            after = next(detections)
            yield from _fill(before, skipped, after, detector, settings)
            yield after
            before, skipped = after, []
    last = max((index for index, item in enumerate(skipped) if item.frame.image is not None), default=None)
    if last is not None:
        (after,) = _detect([skipped[last].frame], detector, settings)
        yield from _fill(before, skipped[:last], after, detector, settings)
        yield after
        skipped = skipped[last + 1 :]
    yield from skipped


def same_face(one: Face, other: Face) -> bool:
    """Whether two boxes may show one face: centres within a face's side, and sides within a factor of two."""
    sides = math.sqrt(max(one.area, 0.0)), math.sqrt(max(other.area, 0.0))
    return min(sides) > 0 and one.distance(other.centre) <= sum(sides) / 2 and max(sides) <= 2 * min(sides)


def interpolate(one: Face, other: Face, share: float) -> Face:
    """Interpolate linearly: `share` 0 is the first face, 1 the second."""
    box = tuple((1 - share) * a + share * b for a, b in zip(one.box, other.box, strict=True))
    landmarks = None
    if one.landmarks is not None and other.landmarks is not None:
        landmarks = (1 - share) * one.landmarks + share * other.landmarks
    return Face((box[0], box[1], box[2], box[3]), min(one.score, other.score), landmarks)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`; the last list may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _detect(frames: list[Frame], detector: Detector, settings: CropParams) -> Iterator[TrackedFrame]:
    for batch in chunks(frames, settings.batch):
        images = [frame.image for frame in batch if frame.image is not None]
        for frame, image, faces in zip(batch, images, detector.detect(images), strict=True):
            if faces:
                yield TrackedFrame(frame, "detected", _choose(faces, frame, image, settings), len(faces))
            else:
                yield TrackedFrame(frame, "no_face", faces=0)


def _choose(faces: list[Face], frame: Frame, image: np.ndarray, settings: CropParams) -> Face:
    """Choose the annotated face if there is one: labels of the image belong to it. Otherwise follow the settings."""
    if frame.box is not None and frame.box[2]:
        annotated = Face(frame.box, 1.0)
        return max(faces, key=lambda face: (_overlap(face, annotated), -face.distance(annotated.centre)))
    if settings.face == "largest":
        return max(faces, key=lambda face: face.area)
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2])
    return min(faces, key=lambda face: face.distance(middle))


def _overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes."""
    shared = intersection(np.array(one.box), np.array(other.box))
    return shared / (one.area + other.area - shared)


def _interpolate_between(
    before: TrackedFrame | None, items: list[TrackedFrame], after: TrackedFrame, status: Status
) -> list[TrackedFrame] | None:
    """Interpolate the face in the frames between two others, or return None if these two do not show one face."""
    if not (before and before.face and after.face and same_face(before.face, after.face)):
        return None
    if len({item.frame.image.shape for item in (before, *items, after) if item.frame.image is not None}) > 1:
        return None  # the size of the video changes
    start, frames = before.frame.number, after.frame.number - before.frame.number
    found = []
    for item in items:
        if item.status != "undecodable":
            face = interpolate(before.face, after.face, (item.frame.number - start) / frames)
            item = replace(item, status=status, face=face)
        found.append(item)
    return found


def _fill(
    before: TrackedFrame | None,
    skipped: list[TrackedFrame],
    after: TrackedFrame,
    detector: Detector,
    settings: CropParams,
) -> Iterator[TrackedFrame]:
    """Find the faces in the frames between two detections."""
    tracked = _interpolate_between(before, skipped, after, "tracked")
    if tracked is None and ((before and before.face) or after.face):
        decoded = [item.frame for item in skipped if item.frame.image is not None]
        detected = {found.frame.number: found for found in _detect(decoded, detector, settings)}
        skipped = [detected.get(item.frame.number, item) for item in skipped]
    yield from skipped if tracked is None else tracked


def _bridge(items: Iterable[TrackedFrame], longest: int) -> Iterator[TrackedFrame]:
    """Interpolate over short gaps between two frames that show the same face."""
    before: TrackedFrame | None = None
    gap: list[TrackedFrame] = []
    for item in items:
        if item.face is None:
            gap.append(item)
            if before is None or item.frame.number - before.frame.number > longest:
                yield from gap
                before, gap = None, []
            continue
        bridged = _interpolate_between(before, gap, item, "bridged")
        yield from gap if bridged is None else bridged
        yield item
        before, gap = item, []
    yield from gap


def _smooth(items: Iterable[TrackedFrame], deviation: float) -> Iterator[TrackedFrame]:
    """Smooth boxes and landmarks with a Gaussian over time, within unbroken runs of the same face."""
    if deviation == 0:
        yield from items
        return
    radius = math.ceil(3 * deviation)
    run: list[TrackedFrame] = []
    done = 0  # frames at the start of the run that were yielded and remain as neighbours
    for item in items:
        if run and not _continues(run[-1], item):
            yield from (_smoothed(run, index, radius, deviation) for index in range(done, len(run)))
            run, done = [], 0
        if item.face is None:
            yield item
            continue
        run.append(item)
        if len(run) - done > radius:
            yield _smoothed(run, done, radius, deviation)
            done += 1
            if done > radius:
                del run[0]
                done -= 1
    yield from (_smoothed(run, index, radius, deviation) for index in range(done, len(run)))


def _continues(before: TrackedFrame, after: TrackedFrame) -> bool:
    if after.frame.number != before.frame.number + 1 or not (before.face and after.face):
        return False
    if before.frame.image is None or after.frame.image is None or before.frame.image.shape != after.frame.image.shape:
        return False
    return (before.face.landmarks is None) == (after.face.landmarks is None) and same_face(before.face, after.face)


def _smoothed(run: list[TrackedFrame], index: int, radius: int, deviation: float) -> TrackedFrame:
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
