"""Follow one person's face through a recording, and interpolate between detections.

Frames pass through as a stream. Only those are held in memory that are read ahead for a detector call, wait for the end
of a gap, or lie within the smoothing window. Which of several people to follow is known only at the end of a recording,
so its frames are then read again. Recordings that never show two faces at once are read once.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clef.faces.detectors import Detector, Face
from clef.faces.detectors.base import intersection
from clef.faces.search import (
    SearchedFrame,
    annotated_face,
    have_one_size,
    image_centre,
    labelled_faces,
    same_face,
    search_frames,
)
from clef.faces.tracks import Track, Tracks
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

Status = Literal["detected", "tracked", "bridged", "no_face", "undecodable"]


@dataclass(frozen=True)
class TrackedFrame:
    """A frame and its face."""

    frame: Frame
    status: Status
    """`tracked`: interpolated in a skipped frame; `bridged`: interpolated where the detector missed it."""
    face: Face | None = None
    faces: int | None = None
    """Number of faces detected, or None if the detector did not see the frame."""


class SeveralFacesError(Exception):
    """A recording shows several faces at once, so one person must be chosen: see `track_person`."""

    def __init__(self, tracks: Tracks) -> None:
        super().__init__("several faces")
        self.tracks = tracks


def track_face(frames: Iterable[Frame], detector: Detector, settings: CropParams) -> Iterator[TrackedFrame]:
    """Track the only face of a recording and yield the same frames, each once and in order.

    Raises:
        SeveralFacesError: A frame shows more than one face. By then all frames were searched. The frames yielded so
            far are void: they may show another person.
    """
    return _follow(_only_faces(search_frames(frames, detector, settings)), settings)


def track_person(frames: Iterable[Frame], tracks: Tracks, settings: CropParams) -> Iterator[TrackedFrame]:
    """Track one of several people and yield the same frames, read again, each once and in order."""
    return _track(frames, tracks, tracks.person(settings.face), settings)


def track_people(frames: Iterable[Frame], tracks: Tracks, settings: CropParams) -> Iterator[tuple[TrackedFrame, ...]]:
    """Track all people, each as `track_person`, and yield every frame once for each of them: see `Tracks.people`."""
    people = tracks.people(settings.face)
    copies = itertools.tee(frames, len(people))
    tracked = [_track(own, tracks, person, settings) for own, person in zip(copies, people, strict=True)]
    return zip(*tracked, strict=True)


def find_single_faces(frames: Iterable[Frame], detector: Detector, settings: CropParams) -> Iterator[TrackedFrame]:
    """Find the face in each of several images that do not belong together, and yield them in order."""
    return (faces[0] for faces in find_all_faces(frames, detector, settings))


def find_all_faces(
    frames: Iterable[Frame], detector: Detector, settings: CropParams
) -> Iterator[tuple[TrackedFrame, ...]]:
    """Find all faces of several images, that of `find_single_faces` first: one item or more for each image.

    Where a face is annotated, others have no items: the label is not theirs.
    """
    for item in search_frames(frames, detector, settings, stills=True):
        count = None if item.faces is None else len(item.faces)
        faces = labelled_faces(item.frame, item.faces or [])
        chosen: list[Face | None] = []
        while faces:
            chosen.append(_choose(faces, item.frame, settings))
            faces = [face for face in faces if face is not chosen[-1]]
        yield tuple(_tracked(item.frame, face, count) for face in chosen or [None])


def interpolate(one: Face, other: Face, share: float) -> Face:
    """Interpolate linearly: `share` 0 is the first face, 1 the second."""
    box = tuple((1 - share) * a + share * b for a, b in zip(one.box, other.box, strict=True))
    landmarks = None
    if one.landmarks is not None and other.landmarks is not None:
        landmarks = (1 - share) * one.landmarks + share * other.landmarks
    return Face((box[0], box[1], box[2], box[3]), min(one.score, other.score), landmarks)


def _track(
    frames: Iterable[Frame], tracks: Tracks, person: list[Track], settings: CropParams
) -> Iterator[TrackedFrame]:
    def tracked(frame: Frame) -> TrackedFrame:
        face = next(filter(None, (track.face(frame.number) for track in person)), None)
        return _tracked(frame, face, tracks.face_count(frame.number))

    return _follow(map(tracked, frames), settings)


def _only_faces(searched: Iterator[SearchedFrame]) -> Iterator[TrackedFrame]:
    tracks = Tracks()
    for item in searched:
        tracks.add(item)
        if item.faces and len(item.faces) > 1:
            for other in searched:
                tracks.add(other)
            raise SeveralFacesError(tracks)
        yield _tracked(item.frame, item.faces[0] if item.faces else None, tracks.face_count(item.frame.number))


def _tracked(frame: Frame, face: Face | None, faces: int | None) -> TrackedFrame:
    if frame.image is None:
        return TrackedFrame(frame, "undecodable")
    return TrackedFrame(frame, "detected" if face else "no_face", face, faces)


def _follow(found: Iterable[TrackedFrame], settings: CropParams) -> Iterator[TrackedFrame]:
    return _smooth(_bridge(_interpolate_skipped(found), settings.bridge), settings.smooth)


def _choose(faces: list[Face], frame: Frame, settings: CropParams) -> Face:
    """Choose the face most like the annotated one, if there is one. Otherwise follow the settings."""
    annotated, image = annotated_face(frame), frame.image
    assert image is not None
    if annotated:
        return max(faces, key=lambda face: _overlap(face, annotated))
    if settings.face == "largest":
        return max(faces, key=lambda face: face.area)
    return min(faces, key=lambda face: face.distance(image_centre(image)))


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
    if not have_one_size(item.frame for item in (before, *items, after)):
        return None
    start, frames = before.frame.number, after.frame.number - before.frame.number
    found = []
    for item in items:
        if item.status != "undecodable":
            face = interpolate(before.face, after.face, (item.frame.number - start) / frames)
            item = replace(item, status=status, face=face)
        found.append(item)
    return found


def _interpolate_skipped(items: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
    """Interpolate in the frames that were not searched, between two frames that show the same face."""
    before: TrackedFrame | None = None
    skipped: list[TrackedFrame] = []
    for item in items:
        if item.faces is None:
            skipped.append(item)
            continue
        tracked = _interpolate_between(before, skipped, item, "tracked")
        yield from skipped if tracked is None else tracked
        yield item
        before, skipped = item, []
    yield from skipped


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
