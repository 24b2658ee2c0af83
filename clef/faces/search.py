"""Search the frames of a recording for faces: every n-th one, and all frames where a face appears or disappears."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from clef.faces.detectors import Detector, Face
from clef.faces.detectors.base import intersection
from clef.params.schema import CropParams
from clef.recordings.frames import Frame

SAME_DETECTION = 0.6
"""Two detections are parts of one face if they share more than this fraction of the smaller box."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class SearchedFrame:
    """A frame and all faces in it, best first."""

    frame: Frame
    faces: list[Face] | None = None
    """None if the detector did not see the frame."""


def search_frames(
    frames: Iterable[Frame], detector: Detector, settings: CropParams, stills: bool = False
) -> Iterator[SearchedFrame]:
    """Search every n-th frame and the last one, or all if they are `stills`, and yield all frames in order.

    If the faces of two neighbouring searched frames do not match one to one, all frames between them are searched too,
    so that the moment when a face appears or disappears is exact. Frames between two without a face are not searched.

    A face that lies on its side or upside down is found by turning the image. Detectors also find some of these in the
    image as it is, but with wrong landmarks and a lower score. In a recording, therefore, all four turns are compared
    while no face is followed, which costs three more detections for each frame, and then the image as it is and the
    last turn. Of `stills`, only those in which no face is found are turned. Detectors without landmarks turn nothing.
    """
    every = 1 if stills else settings.every
    search = _Search(detector, settings, stills)
    before: SearchedFrame | None = None
    skipped: list[SearchedFrame] = []
    wait = 0
    for chunk in chunks(frames, max(settings.batch, every)):
        due = []
        for frame in chunk:
            due.append(wait <= 0 and frame.image is not None)
            wait = (every if due[-1] else wait) - 1
        searched = search(list(itertools.compress(chunk, due)))
        for frame, is_due in zip(chunk, due, strict=True):
            if not is_due:
                skipped.append(SearchedFrame(frame))
                continue
            after = next(searched)
            yield from _search_between(before, skipped, after, search)
            yield after
            before, skipped = after, []
    last = max((index for index, item in enumerate(skipped) if item.frame.image is not None), default=None)
    if last is not None:
        (after,) = search([skipped[last].frame])
        yield from _search_between(before, skipped[:last], after, search)
        yield after
        skipped = skipped[last + 1 :]
    yield from skipped


def same_face(one: Face, other: Face) -> bool:
    """Whether two boxes may show one face: centres within a face's side, and sides within a factor of two."""
    sides = math.sqrt(max(one.area, 0.0)), math.sqrt(max(other.area, 0.0))
    return min(sides) > 0 and one.distance(other.centre) <= sum(sides) / 2 and max(sides) <= 2 * min(sides)


def difference(one: Face, other: Face) -> float:
    """How much two boxes differ: the distance in units of a face's side, plus the ratio of the sides as a logarithm."""
    sides = math.sqrt(max(one.area, 1.0)), math.sqrt(max(other.area, 1.0))
    return 2 * one.distance(other.centre) / sum(sides) + abs(math.log(sides[0] / sides[1]))


def match_faces(before: list[Face], after: list[Face]) -> dict[int, int]:
    """Match faces that may be the same one to one, the most similar first. Returns indices by indices."""
    pairs = [(i, j) for i, one in enumerate(before) for j, other in enumerate(after) if same_face(one, other)]
    matched: dict[int, int] = {}
    for i, j in sorted(pairs, key=lambda pair: difference(before[pair[0]], after[pair[1]])):
        if i not in matched and j not in matched.values():
            matched[i] = j
    return matched


def annotated_face(frame: Frame) -> Face | None:
    """Return the face that an image's label belongs to, if its box is known."""
    return Face(frame.box, 1.0) if frame.box is not None and frame.box[2] else None


def image_centre(image: np.ndarray) -> np.ndarray:
    """Return x and y of the centre of an image."""
    return np.array([image.shape[1] / 2, image.shape[0] / 2])


def have_one_size(frames: Iterable[Frame]) -> bool:
    """Whether all images have the same size; that of a video may change."""
    return len({frame.image.shape for frame in frames if frame.image is not None}) <= 1


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`; the last list may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


class _Search:
    """Searches images, and remembers when and in which turn it found the last face of a recording."""

    def __init__(self, detector: Detector, settings: CropParams, stills: bool) -> None:
        self._detector, self._settings, self._stills = detector, settings, stills
        self._last_face, self._turn, self._is_visible = -math.inf, 0, False

    def __call__(self, frames: list[Frame]) -> Iterator[SearchedFrame]:
        for batch in chunks(frames, self._settings.batch):
            images = [frame.image for frame in batch if frame.image is not None]
            for frame, image, faces in zip(batch, images, self._detector.detect(images), strict=True):
                others = self._turns(frame, is_found=len(faces) > 0)
                by_turn = {0: faces} | {turn: self._detect(image, turn) for turn in others}
                turn = max(by_turn, key=lambda turn: max((face.score for face in by_turn[turn]), default=0))
                faces = by_turn[turn]
                self._is_visible = len(faces) > 0
                if faces:
                    self._last_face, self._turn = frame.number, turn
                yield SearchedFrame(frame, faces if annotated_face(frame) else _distinct(faces))

    def _turns(self, frame: Frame, is_found: bool) -> tuple[int, ...]:
        """Return the quarter turns to compare with the image as it is, by whether a face is found there."""
        if not self._detector.finds_landmarks or (self._stills and is_found):
            return ()
        if self._stills:
            return 1, 2, 3
        wait = max(self._settings.bridge, self._settings.every)
        if self._is_visible or frame.number - self._last_face <= wait:
            return (self._turn,) if self._turn else ()
        return 1, 2, 3

    def _detect(self, image: np.ndarray, turn: int) -> list[Face]:
        """Find the faces in an image turned anticlockwise by quarter turns, in coordinates of the unturned image."""
        (faces,) = self._detector.detect([np.ascontiguousarray(np.rot90(image, turn))])
        return [_unturn(face, image, turn) for face in faces]


def _unturn(face: Face, image: np.ndarray, turn: int) -> Face:
    height, width = image.shape[:2]

    def original(points: np.ndarray) -> np.ndarray:
        x, y = points.T
        return np.stack({1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turn], axis=1)

    corners = original(np.array([face.box[:2], np.add(face.box[:2], face.box[2:])]))
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = None if face.landmarks is None else original(face.landmarks)
    return Face((left, top, right - left, bottom - top), face.score, landmarks)


def _distinct(faces: list[Face]) -> list[Face]:
    """Keep the best of detections that show parts of one face, such as the halves of a close-up."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        shared = [intersection(np.array(face.box), np.array(other.box)) for other in kept]
        if all(area <= SAME_DETECTION * min(face.area, other.area) for area, other in zip(shared, kept, strict=True)):
            kept.append(face)
    return kept


def _search_between(
    before: SearchedFrame | None, skipped: list[SearchedFrame], after: SearchedFrame, search: _Search
) -> Iterator[SearchedFrame]:
    """Search the skipped frames between two others if a face appears, disappears or jumps there."""
    earlier, later = (before and before.faces) or [], after.faces or []
    items = [item for item in (before, *skipped, after) if item is not None]
    is_matched = len(earlier) == len(later) == len(match_faces(earlier, later))
    if is_matched and (not earlier or have_one_size(item.frame for item in items)):
        yield from skipped
        return
    searched = search([item.frame for item in skipped if item.frame.image is not None])
    yield from (item if item.frame.image is None else next(searched) for item in skipped)
